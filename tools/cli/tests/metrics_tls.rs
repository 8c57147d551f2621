//! `eventlog metrics --otlp` over TLS: which receivers it trusts, and how it identifies itself.

use crate::common::{Dir, Done, command, done};
use crate::receiver::{Receiver, Reply};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::net::TcpListener;
use std::sync::Arc;

/// A certificate authority of our own.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key.
struct Issued {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "tests");
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        Self { issuer }
    }

    fn issue(&self, name: &str) -> Issued {
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Issued { certificate, key }
    }

    /// A receiver with a certificate for that name; `clients`: it requires one from its clients.
    fn receiver(&self, name: &str, clients: bool) -> Receiver {
        let own = self.issue(name);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a certificate");
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let config = match clients {
            false => config.with_no_client_auth(),
            true => {
                let roots = Arc::new(roots);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                config.with_client_cert_verifier(verifier.build().expect("a verifier"))
            }
        };
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.key.serialize_der()));
        let chain = vec![own.certificate.der().clone()];
        let config = Arc::new(config.with_single_cert(chain, key).expect("they fit"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let wrap = move |stream| {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            Some(StreamOwned::new(connection, stream))
        };
        let url = format!("https://localhost:{port}");
        Receiver::over(listener, url, wrap, |_| Reply::status(200))
    }

    fn pem(&self, dir: &Dir) -> String {
        dir.with("ca.pem", self.issuer.pem().as_bytes())
    }
}

/// Pushes a log to a receiver that takes it.
fn push(receiver: &Receiver, variables: &[(&str, &str)]) -> Done {
    push_for("5m", receiver, variables)
}

/// Pushes a log for a moment, to a receiver that does not take it.
fn push_in_vain(receiver: &Receiver, variables: &[(&str, &str)]) -> Done {
    push_for("3s", receiver, variables)
}

fn push_for(patience: &str, receiver: &Receiver, variables: &[(&str, &str)]) -> Done {
    let log = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../formats/events/corpus/9.0.2-hello.eventlog"
    );
    let mut command = command();
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    command
        .args([
            "metrics",
            log,
            "--otlp",
            &receiver.url,
            "--signals",
            "metrics",
        ])
        .args(["--patience", patience])
        .envs(variables.iter().copied());
    done(&mut command)
}

const CA: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";

#[test]
fn a_receiver_with_a_certificate_of_ones_own_authority_is_trusted() {
    let (dir, authority) = (Dir::new(), Authority::new());
    let ca = authority.pem(&dir);
    let receiver = authority.receiver("localhost", false);
    push(&receiver, &[(CA, &ca)]).exits(0);
    assert!(!receiver.taken().is_empty());
}

#[test]
fn others_are_not() {
    let (dir, authority) = (Dir::new(), Authority::new());
    let ca = authority.pem(&dir);
    // This authority has not been declared as trusted.
    let receiver = authority.receiver("localhost", false);
    push_in_vain(&receiver, &[])
        .exits(3)
        .says("cannot push to https://localhost");
    // Another one has.
    let elsewhere = Dir::new();
    let other = Authority::new().pem(&elsewhere);
    push_in_vain(&receiver, &[(CA, &other)]).exits(3);
    assert!(receiver.seen().is_empty(), "nothing was told to it");
    // Its certificate is for another name.
    let receiver = authority.receiver("elsewhere.example", false);
    push_in_vain(&receiver, &[(CA, &ca)])
        .exits(3)
        .says("cannot push to https://localhost");
    assert!(receiver.seen().is_empty(), "nothing was told to it");
}

#[test]
fn a_receiver_gets_the_certificate_that_it_wants() {
    let (dir, authority) = (Dir::new(), Authority::new());
    let ca = authority.pem(&dir);
    let receiver = authority.receiver("localhost", true);
    push_in_vain(&receiver, &[(CA, &ca)]).exits(3);
    assert!(receiver.seen().is_empty(), "it takes nothing from nobody");
    let identity = |issued: Issued, name: &str| {
        let key = issued.key.serialize_pem();
        [
            dir.with(&format!("{name}.pem"), issued.certificate.pem().as_bytes()),
            dir.with(&format!("{name}.key"), key.as_bytes()),
        ]
    };
    let with = |push: fn(&Receiver, &[(&str, &str)]) -> Done, [certificate, key]: [String; 2]| {
        push(
            &receiver,
            &[
                (CA, &ca),
                ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &certificate),
                ("OTEL_EXPORTER_OTLP_CLIENT_KEY", &key),
            ],
        )
    };
    let stranger = identity(Authority::new().issue("stranger"), "stranger");
    with(push_in_vain, stranger).exits(3);
    assert!(receiver.seen().is_empty(), "nor from a stranger");
    with(push, identity(authority.issue("client"), "client")).exits(0);
    assert!(!receiver.taken().is_empty());
}
