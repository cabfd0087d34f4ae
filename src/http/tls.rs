//! TLS settings: trusted certificates, and the client's certificate and key.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, Error, OtherError, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::error::TransportError;
use super::pem::PemFile;
use super::tls_insecure::NoVerification;
use super::tls_pinned::{Pinned, PinnedVerifier};
use super::tls_sessions::SessionStore;
use crate::sync::{Lock, ProcessLocal};

type Chain = Vec<CertificateDer<'static>>;
type Key = Arc<PrivateKeyDer<'static>>;

/// A change to one of the TLS settings. Without a file, the option is unset.
pub enum TlsSetting {
    /// Whether to accept any certificate.
    Insecure(bool),
    /// Certificates to trust instead of the system's.
    Trusted(Option<Chain>),
    /// The client certificate, and its key if it is in the same file.
    ClientChain(Option<Chain>, Option<Key>),
    ClientKey(Option<Key>),
    /// A file from the environment that cannot be used, and why.
    InvalidFile(TlsFile, String),
}

/// The purpose of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFile {
    Trusted,
    Client,
}

/// The TLS settings, and the client configuration made of them, which caches sessions.
#[derive(Debug, Default)]
pub struct Tls {
    options: Options,
    /// Made when it is first needed, since reading the system's certificates takes milliseconds.
    config: Lock<Option<ProcessLocal<Arc<ClientConfig>>>>,
}

impl Clone for Tls {
    fn clone(&self) -> Tls {
        Tls { options: self.options.clone(), config: Lock::new(self.config.lock().clone()) }
    }
}

#[derive(Debug, Clone, Default)]
struct Options {
    trusted: Option<Chain>,
    /// Whether `trusted` and `insecure` come from the environment. Then setting one of them unsets the other.
    is_default: bool,
    client_chain: Option<Chain>,
    client_key: Option<Key>,
    insecure: bool,
    /// Files from the environment that cannot be used, and why.
    invalid_files: Vec<(TlsFile, String)>,
}

impl TlsSetting {
    /// Reads the certificates of a file, or of all files of one folder.
    pub fn trusted(files: &[PemFile]) -> Result<TlsSetting, String> {
        let mut all = Vec::new();
        for file in files {
            all.extend(file.trusted()?);
        }
        match files {
            [] => Ok(TlsSetting::Trusted(None)),
            [file] if all.is_empty() => Err(format!("the file {} contains no certificate", file.path)),
            [first, ..] if all.is_empty() => {
                Err(format!("none of {} files, {} among them, contains a certificate", files.len(), first.path))
            }
            _ => Ok(TlsSetting::Trusted(Some(all))),
        }
    }

    pub fn client_chain(file: Option<&PemFile>) -> Result<TlsSetting, String> {
        let Some(file) = file else { return Ok(TlsSetting::ClientChain(None, None)) };
        Ok(TlsSetting::ClientChain(Some(file.client_chain()?), file.private_key()?.map(Arc::new)))
    }

    pub fn client_key(file: Option<&PemFile>) -> Result<TlsSetting, String> {
        let Some(file) = file else { return Ok(TlsSetting::ClientKey(None)) };
        let key = file.private_key()?.ok_or_else(|| format!("the file {} contains no private key", file.path))?;
        Ok(TlsSetting::ClientKey(Some(Arc::new(key))))
    }
}

impl Tls {
    /// Returns the same settings with one change. A new certificate unsets a key that does not match it: a program may
    /// replace first the certificate and then the key. A new key that does not match the certificate is an error.
    pub fn with(&self, setting: TlsSetting) -> Result<Tls, String> {
        let mut options = self.options.clone();
        match setting {
            TlsSetting::Insecure(insecure) => {
                if insecure && options.is_default {
                    options.trusted = None;
                }
                if insecure {
                    options.clear_invalid(TlsFile::Trusted);
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
                options.clear_invalid(TlsFile::Trusted);
            }
            TlsSetting::ClientChain(chain, key) => {
                options.clear_invalid(TlsFile::Client);
                let before = options.client_key.take();
                let matches =
                    |key: &Key| chain.as_ref().is_some_and(|chain| check_key(chain, key, "client_key_file").is_ok());
                options.client_key = match (&chain, key) {
                    (Some(chain), Some(key)) => {
                        check_key(chain, &key, "client_cert_file")?;
                        Some(key)
                    }
                    _ => before.filter(matches),
                };
                options.client_chain = chain;
            }
            TlsSetting::ClientKey(key) => {
                if let (Some(chain), Some(key)) = (&options.client_chain, &key) {
                    check_key(chain, key, "client_key_file")?;
                }
                options.client_key = key;
            }
            TlsSetting::InvalidFile(file, why) => options.invalid_files.push((file, why)),
        }
        if options.insecure && options.trusted.is_some() {
            return Err("the options insecure_tls and ca_file exclude each other".to_owned());
        }
        Ok(Tls { options, config: Lock::default() })
    }

    /// Returns why no connection can be made: a file from the environment cannot be used, and no option replaced it.
    pub(super) fn configuration_error(&self) -> Option<&str> {
        self.options.invalid_files.first().map(|(_, why)| why.as_str())
    }

    /// Returns the same settings as defaults: later settings replace them without conflict.
    pub(super) fn as_default(&self) -> Tls {
        let mut tls = self.clone();
        tls.options.is_default = true;
        tls
    }

    /// Starts a TLS connection to this host.
    pub(super) fn client(&self, host: &str) -> Result<ClientConnection, TransportError> {
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(|error| tls_error(format!("the host name: {error}")))?;
        let config = self.config().map_err(tls_error)?;
        ClientConnection::new(config, name).map_err(|error| tls_error(error.to_string()))
    }

    fn config(&self) -> Result<Arc<ClientConfig>, String> {
        if let Some(config) = self.config.lock().as_ref().and_then(ProcessLocal::get) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.options.config()?);
        let previous = self.config.lock().replace(ProcessLocal::new(Arc::clone(&config)));
        drop(previous.and_then(ProcessLocal::into_inner));
        Ok(config)
    }
}

fn tls_error(why: String) -> TransportError {
    TransportError::Tls { why, is_permanent: true, is_after_sending: false }
}

/// Checks that a key matches the client certificate. `option` names the option that the key comes from.
fn check_key(chain: &Chain, key: &PrivateKeyDer<'static>, option: &str) -> Result<(), String> {
    match CertifiedKey::from_der(chain.clone(), key.clone_key(), &ring::default_provider()) {
        Ok(_) => Ok(()),
        Err(Error::InconsistentKeys(_)) => Err(format!("the key in {option} does not match client_cert_file")),
        Err(error) => Err(format!("the key in {option} cannot be used with client_cert_file: {error}")),
    }
}

impl Options {
    fn clear_invalid(&mut self, file: TlsFile) {
        self.invalid_files.retain(|(other, _)| *other != file);
    }

    fn config(&self) -> Result<ClientConfig, String> {
        if self.client_chain.is_some() != self.client_key.is_some() {
            return Err("only one of the options client_cert_file and client_key_file is set".to_owned());
        }
        self.build(Arc::new(ring::default_provider())).map_err(|error| error.to_string())
    }

    fn build(&self, provider: Arc<CryptoProvider>) -> Result<ClientConfig, Error> {
        let builder =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let builder = builder.dangerous().with_custom_certificate_verifier(self.verifier(provider)?);
        let mut config = match (&self.client_chain, &self.client_key) {
            (Some(chain), Some(key)) => builder.with_client_auth_cert(chain.clone(), key.clone_key())?,
            _ => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::store(Arc::new(SessionStore::default()));
        Ok(config)
    }

    fn verifier(&self, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, Error> {
        if self.insecure {
            return Ok(Arc::new(NoVerification::new(provider)));
        }
        let (authorities, pinned): (Arc<dyn ServerCertVerifier>, _) = match &self.trusted {
            Some(certificates) => {
                let mut roots = RootCertStore::empty();
                certificates.iter().try_for_each(|certificate| roots.add(certificate.clone()))?;
                let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
                let verifier = builder.build().map_err(|error| Error::Other(OtherError(Arc::new(error))))?;
                (verifier, Pinned::Certificates(certificates.clone()))
            }
            None => (Arc::new(Verifier::new(Arc::clone(&provider))?), Pinned::System),
        };
        Ok(Arc::new(PinnedVerifier::new(authorities, pinned, provider)))
    }
}
