//! Trust in a server whose own certificate is among those that are trusted.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Trusts those whom another verifier trusts, and a server whose own certificate is a trusted one, whoever signed it. So
/// does OpenSSL; webpki, by which the others go, takes no certificate for a server's that could sign others (CA:TRUE),
/// as most are that people sign by themselves.
#[derive(Debug)]
pub(super) struct PinnedVerifier {
    by_authority: Arc<dyn ServerCertVerifier>,
    pinned: Pinned,
    provider: Arc<CryptoProvider>,
}

/// The certificates that are trusted.
#[derive(Debug)]
pub(super) enum Pinned {
    These(Vec<CertificateDer<'static>>),
    /// The machine's, which are read again when they are needed.
    Machines,
}

impl Pinned {
    fn contains(&self, certificate: &CertificateDer) -> bool {
        match self {
            Pinned::These(certificates) => certificates.contains(certificate),
            Pinned::Machines => machines().contains(certificate),
        }
    }
}

#[cfg(all(unix, not(target_os = "android"), not(target_vendor = "apple")))]
fn machines() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

/// Elsewhere the system itself verifies.
#[cfg(not(all(unix, not(target_os = "android"), not(target_vendor = "apple"))))]
fn machines() -> Vec<CertificateDer<'static>> {
    Vec::new()
}

impl PinnedVerifier {
    pub fn new(
        by_authority: Arc<dyn ServerCertVerifier>,
        pinned: Pinned,
        provider: Arc<CryptoProvider>,
    ) -> PinnedVerifier {
        PinnedVerifier { by_authority, pinned, provider }
    }

    /// Whether it is valid now, for this name. That it is trusted is known.
    fn verify_pinned(&self, certificate: &CertificateDer, name: &ServerName, now: UnixTime) -> Result<(), Error> {
        let certificate = ParsedCertificate::try_from(certificate)?;
        verify_server_name(&certificate, name)?;
        // By webpki, which looks at the validity first: without anybody who could have signed it, what it finds when that
        // holds is that nobody is known who did.
        let algorithms = self.provider.signature_verification_algorithms.all;
        let nobody = RootCertStore::empty();
        match verify_server_cert_signed_by_trust_anchor(&certificate, &nobody, &[], now, algorithms) {
            Err(problem) if is_of_the_signer(&problem) => Ok(()),
            verdict => verdict,
        }
    }
}

/// Whether nothing else is wrong with a certificate than who signed it: that nobody is known, or that it did itself.
fn is_of_the_signer(problem: &Error) -> bool {
    match problem {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        // rustls has no name of its own for it.
        Error::InvalidCertificate(CertificateError::Other(other)) => other.to_string() == "CaUsedAsEndEntity",
        _ => false,
    }
}

impl ServerCertVerifier for PinnedVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer,
        intermediates: &[CertificateDer],
        name: &ServerName,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.by_authority.verify_server_cert(end_entity, intermediates, name, ocsp_response, now) {
            Err(_) if self.pinned.contains(end_entity) => {
                self.verify_pinned(end_entity, name, now).map(|()| ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authority.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authority.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_authority.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read, Write};

    use rustls::SupportedProtocolVersion;
    use rustls::crypto::ring;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject;
    use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig, ServerConnection};
    use rustls::sign::CertifiedKey;
    use rustls::version::{TLS12, TLS13};

    use super::super::pem::PemFile;
    use super::super::tls::{Tls, TlsSetting};
    use super::*;

    /// For gateway.example, from 2020 to 2120, signed by itself, with CA:TRUE.
    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBNzCB3qADAgECAgEBMAoGCCqGSM49BAMCMAwxCjAIBgNVBAMMAWcwIBcNMjAw
MTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMAwxCjAIBgNVBAMMAWcwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAASDCQO6AcqavvDNravpnlY0e0QrUGFTdaAtrtjN
5785WqTjnQhnVAMTddyKk0pUCAgePNXWkqXyeIXLNYDCxtmToy8wLTAaBgNVHREE
EzARgg9nYXRld2F5LmV4YW1wbGUwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQD
AgNIADBFAiEAterm4XTZiwvDpuvMiOO1M2xB5DwLjbF/d5QcDrhiGRYCIA/4kQz8
mqJNz+5vuaUDlTWPUqV2Na8Jmzoo7DJGjDgW
-----END CERTIFICATE-----
";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgB3MuCuU9YDsBl2W3
zacXZrZ+V1wz6iBA3p69/Bl/l3qhRANCAASDCQO6AcqavvDNravpnlY0e0QrUGFT
daAtrtjN5785WqTjnQhnVAMTddyKk0pUCAgePNXWkqXyeIXLNYDCxtmT
-----END PRIVATE KEY-----
";
    const OTHER_KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgae0ltT7rFI5tA3TQ
VPibTYTFuHYmXwU42BmcaQ6E7/OhRANCAAR25hgE6PmdA37mcLZRZgTNYdS3A/Ea
HfAD+Hn5370EoWFCTtGDCeDSQYpf1bCS2gduDr/GVNyhPtgT6LgLCs1S
-----END PRIVATE KEY-----
";

    /// Shows a certificate, whether or not the key is its own.
    #[derive(Debug)]
    struct Shows(Arc<CertifiedKey>);

    impl ResolvesServerCert for Shows {
        fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            Some(Arc::clone(&self.0))
        }
    }

    /// Lets a client that trusts the certificate shake hands with a server that shows it.
    fn shake_hands(name: &str, key: &str, version: &'static SupportedProtocolVersion) -> Result<(), Error> {
        let file = PemFile { path: "own.pem".to_owned(), content: CERTIFICATE.as_bytes().to_vec().into() };
        let tls = Tls::default().with(TlsSetting::trusted(&[file]).unwrap()).unwrap();
        let mut client = tls.client(name).unwrap();

        let provider = Arc::new(ring::default_provider());
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let key = provider.key_provider.load_private_key(key).unwrap();
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
        let shows = Shows(Arc::new(CertifiedKey::new(vec![certificate], key)));
        let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
        let config = config.with_no_client_auth().with_cert_resolver(Arc::new(shows));
        let mut server = ServerConnection::new(Arc::new(config)).unwrap();

        while client.is_handshaking() || server.is_handshaking() {
            pass_on(|to| client.write_tls(to), |from| server.read_tls(from));
            server.process_new_packets()?;
            pass_on(|to| server.write_tls(to), |from| client.read_tls(from));
            client.process_new_packets()?;
        }
        assert_eq!(client.protocol_version(), Some(version.version));
        Ok(())
    }

    fn pass_on(
        mut write: impl FnMut(&mut dyn Write) -> io::Result<usize>,
        mut read: impl FnMut(&mut dyn Read) -> io::Result<usize>,
    ) {
        let mut bytes = Vec::new();
        while write(&mut bytes).unwrap() > 0 {}
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            read(&mut rest).unwrap();
        }
    }

    #[test]
    fn a_pinned_server_must_hold_its_key() {
        for version in [&TLS12, &TLS13] {
            assert_eq!(shake_hands("gateway.example", KEY, version), Ok(()));
            let stolen = shake_hands("gateway.example", OTHER_KEY, version).unwrap_err();
            assert_eq!(stolen, Error::InvalidCertificate(CertificateError::BadSignature));
            let renamed = shake_hands("other.example", KEY, version).unwrap_err();
            assert!(renamed.to_string().contains("not valid for name"), "{renamed}");
        }
    }
}
