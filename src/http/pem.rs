//! PEM files: the certificates and keys that they hold, or which block of them cannot be used, and why.

use memchr::memmem;
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};
use zeroize::Zeroizing;

/// A file, read whole.
pub struct PemFile {
    /// What messages call it.
    pub path: String,
    pub content: Zeroizing<Vec<u8>>,
}

impl PemFile {
    /// All certificates in it that can be trusted.
    pub(super) fn trusted(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let check = |certificate: &CertificateDer| RootCertStore::empty().add(certificate.clone());
        self.certificates(|_, certificate| check(certificate))
    }

    /// A client's certificate, with those that lead to its root: at least one.
    pub(super) fn client_chain(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        // The others are only sent.
        let chain = self.certificates(|index, certificate| match index {
            0 => ParsedCertificate::try_from(certificate).map(drop),
            _ => Ok(()),
        })?;
        if chain.is_empty() { Err(format!("the file {} holds no certificate", self.path)) } else { Ok(chain) }
    }

    /// The first private key in it; `None` if it holds none.
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
                "the private key in the file {path} is encrypted; write it unencrypted, for example by openssl pkey"
            )),
            Err(PemError::NoItemsFound) => Ok(None),
            Err(error) => Err(format!("the file {path} cannot be used: {}", damage(&error))),
        }
    }

    /// All of them, each checked, with its index.
    fn certificates(
        &self,
        check: impl Fn(usize, &CertificateDer) -> Result<(), Error>,
    ) -> Result<Vec<CertificateDer<'static>>, String> {
        let mut found = Vec::new();
        for (index, block) in <(SectionKind, Vec<u8>)>::pem_slice_iter(&self.content).enumerate() {
            let wrong = |why: &str| format!("the file {} cannot be used: PEM block {}: {why}", self.path, index + 1);
            let (kind, der) = block.map_err(|error| wrong(&damage(&error)))?;
            if kind == SectionKind::Certificate {
                let certificate = CertificateDer::from(der);
                check(found.len(), &certificate).map_err(|error| wrong(&fault(&error)))?;
                found.push(certificate);
            }
        }
        Ok(found)
    }
}

/// What is wrong with a block, in words that do not repeat it.
fn damage(error: &PemError) -> String {
    match error {
        PemError::MissingSectionEnd { .. } => "it has no end line".to_owned(),
        PemError::IllegalSectionStart { .. } => "its first line is damaged".to_owned(),
        PemError::Base64Decode(_) => "it is not base64".to_owned(),
        other => other.to_string(),
    }
}

/// What is wrong with a certificate. rustls speaks of that of a peer.
fn fault(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::BadEncoding) => {
            "it is damaged, or not an X.509 certificate".to_owned()
        }
        Error::InvalidCertificate(CertificateError::Other(other)) if other.to_string() == "UnsupportedCertVersion" => {
            "it is an X.509 certificate of an old version; make one of version 3".to_owned()
        }
        Error::InvalidCertificate(problem) => problem.to_string(),
        other => other.to_string(),
    }
}
