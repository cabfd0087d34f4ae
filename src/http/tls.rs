//! How TLS is done: whom to trust, and who we are.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::failure::Failure;
use super::tls_trust::AnyServer;
use crate::sync::{Lock, current_process};

type Chain = Vec<CertificateDer<'static>>;
type Key = Arc<PrivateKeyDer<'static>>;

/// One change to how TLS is done. Where a PEM text is empty, the option is taken back.
pub enum TlsSetting {
    /// Whether to accept any certificate.
    Insecure(bool),
    /// Certificates to trust instead of the machine's own.
    Trusted(Option<Chain>),
    /// Our certificate, and its key if the same text holds it.
    ClientChain(Option<Chain>, Option<Key>),
    ClientKey(Option<Key>),
}

/// The settings, ready for connecting; it also remembers sessions, to resume them.
#[derive(Debug, Default)]
pub struct Tls {
    options: Options,
    /// Made when it is first needed, since reading the machine's certificates takes milliseconds. A process that was
    /// forked meanwhile needs its own: another thread may have been at what is inside.
    config: Lock<Option<(u32, Arc<ClientConfig>)>>,
}

impl Clone for Tls {
    fn clone(&self) -> Tls {
        Tls { options: self.options.clone(), config: Lock::new(self.config.lock().clone()) }
    }
}

#[derive(Debug, Clone, Default)]
struct Options {
    trusted: Option<Chain>,
    /// Whether `trusted` and `insecure` come from the environment: then either gives way to the other.
    is_default: bool,
    client_chain: Option<Chain>,
    client_key: Option<Key>,
    insecure: bool,
}

impl TlsSetting {
    pub fn trusted(pem: &[u8]) -> Result<TlsSetting, String> {
        Ok(TlsSetting::Trusted(certificates(pem)?))
    }

    pub fn client_chain(pem: &[u8]) -> Result<TlsSetting, String> {
        Ok(TlsSetting::ClientChain(certificates(pem)?, PrivateKeyDer::from_pem_slice(pem).ok().map(Arc::new)))
    }

    pub fn client_key(pem: &[u8]) -> Result<TlsSetting, String> {
        if pem.is_empty() {
            return Ok(TlsSetting::ClientKey(None));
        }
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| "the file holds no private key".to_owned())?;
        Ok(TlsSetting::ClientKey(Some(Arc::new(key))))
    }
}

/// All certificates in a PEM text; at least one, unless it is empty.
fn certificates(pem: &[u8]) -> Result<Option<Chain>, String> {
    if pem.is_empty() {
        return Ok(None);
    }
    let found: Result<Chain, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("the file holds no certificate".to_owned()),
        Ok(found) => Ok(Some(found)),
        Err(error) => Err(format!("the file cannot be used: {error}")),
    }
}

impl Tls {
    /// The same with one change. A new certificate ends the use of a key that does not fit it, so that first the
    /// certificate and then the key can be replaced; a key that does not fit the certificate is a mistake.
    pub fn with(&self, setting: TlsSetting) -> Result<Tls, String> {
        let mut options = self.options.clone();
        match setting {
            TlsSetting::Insecure(insecure) => {
                if insecure && options.is_default {
                    options.trusted = None;
                }
                options.insecure = insecure;
                options.is_default = false;
            }
            TlsSetting::Trusted(trusted) => {
                if trusted.is_some() && options.is_default {
                    options.insecure = false;
                }
                options.trusted = trusted;
                options.is_default = false;
            }
            TlsSetting::ClientChain(chain, key) => {
                options.client_chain = chain;
                options.client_key = key.or(options.client_key.take()).filter(|key| options.pair_fits(key));
            }
            TlsSetting::ClientKey(key) => {
                if key.as_ref().is_some_and(|key| options.client_chain.is_some() && !options.pair_fits(key)) {
                    return Err("the key in client_key_file is not the one of client_cert_file".to_owned());
                }
                options.client_key = key;
            }
        }
        if options.insecure && options.trusted.is_some() {
            return Err("the options insecure_tls and ca_file exclude each other".to_owned());
        }
        Ok(Tls { options, config: Lock::default() })
    }

    /// The same, from whose settings later ones may differ without contradicting them.
    pub(super) fn as_default(&self) -> Tls {
        let mut tls = self.clone();
        tls.options.is_default = true;
        tls
    }

    /// The beginning of a TLS connection to this host.
    pub(super) fn client(&self, host: &str) -> Result<ClientConnection, Failure> {
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(|error| unusable(format!("the host name: {error}")))?;
        let config = self.config().map_err(unusable)?;
        ClientConnection::new(config, name).map_err(|error| unusable(error.to_string()))
    }

    fn config(&self) -> Result<Arc<ClientConfig>, String> {
        let process = current_process();
        let known = self.config.lock().clone();
        match known {
            Some((of, config)) if of == process => Ok(config),
            _ => {
                let config = Arc::new(self.options.config()?);
                let before = self.config.lock().replace((process, Arc::clone(&config)));
                if before.as_ref().is_some_and(|(of, _)| *of != process) {
                    // What it holds may have been in the middle of a change, and is lost.
                    std::mem::forget(before);
                }
                Ok(config)
            }
        }
    }
}

fn unusable(why: String) -> Failure {
    Failure::Tls { why, is_lasting: true, is_late: false }
}

impl Options {
    fn pair_fits(&self, key: &PrivateKeyDer<'static>) -> bool {
        let chain = self.client_chain.clone().unwrap_or_default();
        CertifiedKey::from_der(chain, key.clone_key(), &ring::default_provider()).is_ok()
    }

    fn config(&self) -> Result<ClientConfig, String> {
        if self.client_chain.is_some() != self.client_key.is_some() {
            return Err("of the options client_cert_file and client_key_file only one is set".to_owned());
        }
        self.build(Arc::new(ring::default_provider())).map_err(|error| error.to_string())
    }

    fn build(&self, provider: Arc<CryptoProvider>) -> Result<ClientConfig, rustls::Error> {
        let builder =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let builder = match &self.trusted {
            _ if self.insecure => {
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
        match (&self.client_chain, &self.client_key) {
            (Some(chain), Some(key)) => builder.with_client_auth_cert(chain.clone(), key.clone_key()),
            _ => Ok(builder.with_no_client_auth()),
        }
    }
}
