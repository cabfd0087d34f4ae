//! How TLS is done: whom to trust, and who we are.

use std::sync::{Arc, OnceLock};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::failure::Failure;
use super::tls_trust::AnyServer;

/// What a program may set.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// Certificates to trust instead of the machine's own.
    pub trusted: Option<Vec<CertificateDer<'static>>>,
    pub client_chain: Option<Vec<CertificateDer<'static>>>,
    pub client_key: Option<Arc<PrivateKeyDer<'static>>>,
    /// Whether to accept any certificate.
    pub insecure: bool,
}

/// The options, ready for connecting; it also remembers sessions, to resume them.
#[derive(Debug, Default)]
pub struct Tls {
    options: TlsOptions,
    /// Made when it is first needed, since reading the machine's certificates takes milliseconds.
    config: OnceLock<Result<Arc<ClientConfig>, String>>,
}

impl Tls {
    /// Fails if the options do not fit each other, for example a certificate and another one's key.
    pub fn new(options: &TlsOptions) -> Result<Tls, String> {
        let tls = Tls { options: options.clone(), config: OnceLock::new() };
        tls.config()?;
        Ok(tls)
    }

    /// The beginning of a TLS connection to this host.
    pub(super) fn client(&self, host: &str) -> Result<ClientConnection, Failure> {
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(|error| Failure::Tls(format!("the host name: {error}")))?;
        let config = self.config().map_err(Failure::Tls)?;
        ClientConnection::new(config, name).map_err(|error| Failure::Tls(error.to_string()))
    }

    fn config(&self) -> Result<Arc<ClientConfig>, String> {
        self.config
            .get_or_init(|| {
                let provider = Arc::new(ring::default_provider());
                config(&self.options, provider).map(Arc::new).map_err(|error| error.to_string())
            })
            .clone()
    }
}

fn config(options: &TlsOptions, provider: Arc<CryptoProvider>) -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match &options.trusted {
        _ if options.insecure => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyServer::new(provider)))
        }
        Some(certificates) => {
            let mut roots = RootCertStore::empty();
            certificates.iter().try_for_each(|certificate| roots.add(certificate.clone()))?;
            builder.with_root_certificates(roots)
        }
        // "Dangerous" are verifiers of one's own; this is the one of rustls's authors.
        None => builder.dangerous().with_custom_certificate_verifier(Arc::new(Verifier::new(provider)?)),
    };
    match (&options.client_chain, &options.client_key) {
        (Some(chain), Some(key)) => builder.with_client_auth_cert(chain.clone(), key.clone_key()),
        _ => Ok(builder.with_no_client_auth()),
    }
}

/// All certificates in a PEM text; at least one.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("it holds no certificate".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(error.to_string()),
    }
}

/// The private key in a PEM text.
pub fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| "it holds no private key".to_owned())
}
