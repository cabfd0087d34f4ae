//! PEM files: parses their certificates and keys, and reports which block is invalid.

use memchr::memmem;
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};
use zeroize::Zeroizing;

/// The content of a file.
pub struct PemFile {
    /// For error messages.
    pub path: String,
    pub content: Zeroizing<Vec<u8>>,
}

impl PemFile {
    /// Returns all certificates, each of which must be usable as a trusted one.
    pub(super) fn trusted(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let check = |certificate: &CertificateDer| RootCertStore::empty().add(certificate.clone());
        self.certificates(|_, certificate| check(certificate))
    }

    /// Returns a client certificate and the intermediate ones after it: at least one.
    pub(super) fn client_chain(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        // Intermediate certificates are only sent, so they are not checked.
        let chain = self.certificates(|index, certificate| match index {
            0 => ParsedCertificate::try_from(certificate).map(drop),
            _ => Ok(()),
        })?;
        if chain.is_empty() { Err(format!("the file {} contains no certificate", self.path)) } else { Ok(chain) }
    }

    /// Returns the first private key, or `None` if there is none.
    pub(super) fn private_key(&self) -> Result<Option<PrivateKeyDer<'static>>, String> {
        let path = &self.path;
        let found = PrivateKeyDer::from_pem_slice(&self.content);
        let is_encrypted = || memmem::find(&self.content, b"ENCRYPTED").is_some();
        match found {
            Ok(key) => match ring::default_provider().key_provider.load_private_key(key.clone_key()) {
                Ok(_) => Ok(Some(key)),
                Err(error) => Err(format!("the private key in the file {path} cannot be used: {error}")),
            },
            Err(_) if is_encrypted() => Err(format!(
                "the private key in the file {path} is encrypted; decrypt it, for example with openssl pkey"
            )),
            Err(PemError::NoItemsFound) => Ok(None),
            Err(error) => Err(format!("the file {path} cannot be used: {}", pem_error(&error))),
        }
    }

    /// Returns all certificates. Calls `check` with the index of each.
    fn certificates(
        &self,
        check: impl Fn(usize, &CertificateDer) -> Result<(), Error>,
    ) -> Result<Vec<CertificateDer<'static>>, String> {
        let mut found = Vec::new();
        for (index, block) in <(SectionKind, Vec<u8>)>::pem_slice_iter(&self.content).enumerate() {
            let invalid = |why: &str| format!("the file {} cannot be used: PEM block {}: {why}", self.path, index + 1);
            let (kind, der) = block.map_err(|error| invalid(&pem_error(&error)))?;
            if kind == SectionKind::Certificate {
                let certificate = CertificateDer::from(der);
                check(found.len(), &certificate).map_err(|error| invalid(&certificate_error(&error)))?;
                found.push(certificate);
            }
        }
        Ok(found)
    }
}

/// Describes an invalid block without repeating its content.
fn pem_error(error: &PemError) -> String {
    match error {
        PemError::MissingSectionEnd { .. } => "it has no end line".to_owned(),
        PemError::IllegalSectionStart { .. } => "its first line is damaged".to_owned(),
        PemError::Base64Decode(_) => "it is not base64".to_owned(),
        other => other.to_string(),
    }
}

/// Describes an invalid certificate. The messages of rustls are about a peer's certificate.
fn certificate_error(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::BadEncoding) => {
            "it is damaged, or not an X.509 certificate".to_owned()
        }
        Error::InvalidCertificate(CertificateError::Other(other)) if other.to_string() == "UnsupportedCertVersion" => {
            "it is an X.509 certificate of an old version; version 3 is required".to_owned()
        }
        Error::InvalidCertificate(error) => error.to_string(),
        other => other.to_string(),
    }
}
