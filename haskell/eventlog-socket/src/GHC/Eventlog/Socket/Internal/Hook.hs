{-# LANGUAGE GeneralizedNewtypeDeriving #-}
{-# LANGUAGE PatternSynonyms #-}

-- | Hooks: handlers that are called when a log begins and ends.
module GHC.Eventlog.Socket.Internal.Hook
  ( Hook (HookPostStartEventLogging, HookPreEndEventLogging)
  , HookHandler
  , registerHook
  ) where

import Data.Word (Word32)
import Foreign.Storable (Storable)

import GHC.Eventlog.Socket.Internal.Foreign
import GHC.Eventlog.Socket.Internal.Handler
import GHC.Eventlog.Socket.Internal.Status

-- | A moment at which handlers are called.
newtype Hook = Hook Word32
  deriving (Eq, Storable)

-- | A log has begun: when the library has started, for the first client; then for
-- each later one, when it has connected. What the handler logs reaches that client.
-- A handler that is registered while a log runs is called for it at once.
pattern HookPostStartEventLogging :: Hook
pattern HookPostStartEventLogging = Hook 0

-- | The log ends: its client has gone, or the program is about to exit (what is
-- logged then still reaches the client). If other code ends the log with
-- @endEventLogging@, this is called afterwards. Not called at the exit of a program whose
-- exit cannot be hooked: with @-dynamic@ and started from Haskell, or with an
-- @OnExitHook@ of its own.
pattern HookPreEndEventLogging :: Hook
pattern HookPreEndEventLogging = Hook 1

{-# COMPLETE HookPostStartEventLogging, HookPreEndEventLogging #-}

instance Show Hook where
  showsPrec precedence hook = case hook of
    Hook 0 -> showString "HookPostStartEventLogging"
    Hook 1 -> showString "HookPreEndEventLogging"
    Hook number -> showParen (precedence > 10) (showString "Hook " . shows number)

-- | The action for a t'Hook'.
--
-- Handlers, of hooks and of commands, are called one at a time on a thread of the
-- library: one that takes long delays other handlers and commands, and nothing else. A
-- handler may do what any Haskell code may, including calls of this module.
-- It must return; when the program exits, one that is still running gets two
-- seconds. An exception that escapes it becomes the user event
-- @eventlog-socket: the handler of HOOK failed: REASON@.
--
-- Without @-threaded@ no other thread may enter the runtime: handlers of hooks are
-- called by the start and by the exit, on their thread, and not when clients connect
-- and disconnect.
type HookHandler = IO ()

-- | Register a handler, which is called each time after those that were registered
-- before it. It cannot be removed again, and is never freed. Throws a 'userError' if it
-- cannot be registered.
registerHook :: Hook -> HookHandler -> IO ()
registerHook hook@(Hook number) handler =
  registering
    (guarded (pure (show hook)) handler)
    (\stored -> withStatus (c_register_hook number hookHandler stored))
    throwStatus
