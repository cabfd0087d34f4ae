//! How TLS is done: whom to trust, and who we are.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use ureq::config::Config;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::transport::RustlsConnector;

/// What a program may set. The texts are PEM.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// Certificates to trust instead of the machine's own.
    pub trusted: Option<Vec<Certificate<'static>>>,
    pub client_chain: Option<Vec<Certificate<'static>>>,
    pub client_key: Option<Arc<PrivateKey<'static>>>,
    /// Whether to accept any certificate.
    pub insecure: bool,
}

/// The options, ready for connecting; it also remembers sessions, to resume them.
#[derive(Debug)]
pub struct Tls {
    pub(super) config: Config,
    pub(super) connector: RustlsConnector,
}

impl Tls {
    /// Fails if the client's certificate and key do not belong together.
    pub fn new(options: &TlsOptions) -> Result<Tls, String> {
        let provider = Arc::new(ring::default_provider());
        let client = match (&options.client_chain, &options.client_key) {
            (Some(chain), Some(key)) => {
                check_pair(chain, key, &provider)?;
                Some(ClientCert::new_with_certs(chain, PrivateKey::to_owned(key)))
            }
            _ => None,
        };
        let trusted = match &options.trusted {
            Some(certificates) => RootCerts::new_with_certs(certificates),
            None => RootCerts::PlatformVerifier,
        };
        let tls = TlsConfig::builder()
            .root_certs(trusted)
            .client_cert(client)
            .disable_verification(options.insecure)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let config = Config::builder().user_agent(super::USER_AGENT).tls_config(tls).build();
        Ok(Tls { config, connector: RustlsConnector::default() })
    }
}

/// All certificates in a PEM text; at least one.
pub fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, String> {
    let found: Result<Vec<_>, _> = parse_pem(pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
            Ok(_) => None,
            Err(error) => Some(Err(error.to_string())),
        })
        .collect();
    found.and_then(|found| if found.is_empty() { Err("it holds no certificate".to_owned()) } else { Ok(found) })
}

/// The private key in a PEM text.
pub fn private_key(pem: &[u8]) -> Result<PrivateKey<'static>, String> {
    PrivateKey::from_pem(pem).map_err(|_| "it holds no private key".to_owned())
}

/// ureq takes it for granted that they belong together.
fn check_pair(chain: &[Certificate], key: &PrivateKey, provider: &CryptoProvider) -> Result<(), String> {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let der = PrivateKeyDer::try_from(key.der().to_owned()).map_err(str::to_owned)?;
    let chain = chain.iter().map(|certificate| CertificateDer::from(certificate.der().to_owned())).collect();
    rustls::sign::CertifiedKey::from_der(chain, der, provider)
        .map(drop)
        .map_err(|error| format!("the client's certificate and key do not fit: {error}"))
}
