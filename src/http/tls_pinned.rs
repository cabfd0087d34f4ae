//! Trusts a server whose own certificate is among the trusted ones, as is common for self-signed certificates.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Accepts the certificates that another verifier accepts, and those that are trusted themselves, regardless of their issuer.
/// So does OpenSSL. webpki, which the other verifiers use, rejects a server certificate with CA:TRUE, as most
/// self-signed ones have.
#[derive(Debug)]
pub(super) struct PinnedVerifier {
    authorities: Arc<dyn ServerCertVerifier>,
    pinned: Pinned,
    provider: Arc<CryptoProvider>,
}

/// The trusted certificates.
#[derive(Debug)]
pub(super) enum Pinned {
    Certificates(Vec<CertificateDer<'static>>),
    /// Those of the system, which are read when they are needed.
    System,
}

impl Pinned {
    fn contains(&self, certificate: &CertificateDer) -> bool {
        match self {
            Pinned::Certificates(certificates) => certificates.contains(certificate),
            Pinned::System => system_certificates().contains(certificate),
        }
    }
}

#[cfg(all(unix, not(target_os = "android"), not(target_vendor = "apple")))]
fn system_certificates() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

/// On other systems the system itself verifies certificates.
#[cfg(not(all(unix, not(target_os = "android"), not(target_vendor = "apple"))))]
fn system_certificates() -> Vec<CertificateDer<'static>> {
    Vec::new()
}

impl PinnedVerifier {
    pub fn new(
        authorities: Arc<dyn ServerCertVerifier>,
        pinned: Pinned,
        provider: Arc<CryptoProvider>,
    ) -> PinnedVerifier {
        PinnedVerifier { authorities, pinned, provider }
    }

    /// Verifies that a trusted certificate is valid now and for this name.
    fn verify_pinned(&self, certificate: &CertificateDer, name: &ServerName, now: UnixTime) -> Result<(), Error> {
        let certificate = ParsedCertificate::try_from(certificate)?;
        verify_server_name(&certificate, name)?;
        // webpki checks the validity first. Without trusted roots, a valid certificate fails because of its issuer.
        let algorithms = self.provider.signature_verification_algorithms.all;
        let no_roots = RootCertStore::empty();
        match verify_server_cert_signed_by_trust_anchor(&certificate, &no_roots, &[], now, algorithms) {
            Err(error) if is_about_issuer(&error) => Ok(()),
            result => result,
        }
    }
}

/// Returns whether a certificate is rejected only because its issuer is unknown, or is the certificate itself.
fn is_about_issuer(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        // rustls has no error of its own for CA:TRUE.
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
        match self.authorities.verify_server_cert(end_entity, intermediates, name, ocsp_response, now) {
            Err(_) if self.pinned.contains(end_entity) => {
                self.verify_pinned(end_entity, name, now).map(|()| ServerCertVerified::assertion())
            }
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
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

    /// For gateway.example, valid from 2020 to 2120, self-signed, with CA:TRUE.
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

    /// Presents a certificate, whether or not the key matches it.
    #[derive(Debug)]
    struct FixedCertificate(Arc<CertifiedKey>);

    impl ResolvesServerCert for FixedCertificate {
        fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            Some(Arc::clone(&self.0))
        }
    }

    /// Makes the handshake of a client that trusts the certificate with a server that presents it.
    fn handshake(name: &str, key: &str, version: &'static SupportedProtocolVersion) -> Result<(), Error> {
        let file = PemFile { path: "own.pem".to_owned(), content: CERTIFICATE.as_bytes().to_vec().into() };
        let tls = Tls::default().with(TlsSetting::trusted(&[file]).unwrap()).unwrap();
        let mut client = tls.client(name).unwrap();

        let provider = Arc::new(ring::default_provider());
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let key = provider.key_provider.load_private_key(key).unwrap();
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
        let resolver = FixedCertificate(Arc::new(CertifiedKey::new(vec![certificate], key)));
        let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
        let config = config.with_no_client_auth().with_cert_resolver(Arc::new(resolver));
        let mut server = ServerConnection::new(Arc::new(config)).unwrap();

        while client.is_handshaking() || server.is_handshaking() {
            transfer(|to| client.write_tls(to), |from| server.read_tls(from));
            server.process_new_packets()?;
            transfer(|to| server.write_tls(to), |from| client.read_tls(from));
            client.process_new_packets()?;
        }
        assert_eq!(client.protocol_version(), Some(version.version));
        Ok(())
    }

    fn transfer(
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
    fn pinned_server_must_have_the_key_of_its_certificate() {
        for version in [&TLS12, &TLS13] {
            assert_eq!(handshake("gateway.example", KEY, version), Ok(()));
            let stolen = handshake("gateway.example", OTHER_KEY, version).unwrap_err();
            assert_eq!(stolen, Error::InvalidCertificate(CertificateError::BadSignature));
            let renamed = handshake("other.example", KEY, version).unwrap_err();
            assert!(renamed.to_string().contains("not valid for name"), "{renamed}");
        }
    }
}
