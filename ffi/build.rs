//! What the linker is told about the shared library.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Programs ask for the library by its ABI, not by its file. Where there is no
    // ELF there is no such name.
    let elf = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    if let (true, Ok(abi)) = (elf, env::var("CARGO_PKG_VERSION_MAJOR")) {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libeventlog_socket.so.{abi}");
        // Its threads and exit handlers stay when dlclose is called.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
