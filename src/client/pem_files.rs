//! Reads the files of certificates and keys that options name.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use crate::http::PemFile;

/// More than any bundle of certificates has.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Reads a file, or all readable files of a directory such as OpenSSL's `certs`. An empty path means no file.
pub(super) fn read_all(path: &str) -> Result<Vec<PemFile>, String> {
    if path.is_empty() || !Path::new(path).is_dir() {
        return Ok(read(path)?.into_iter().collect());
    }
    let unreadable = |error: io::Error| format!("the directory {path} cannot be read: {error}");
    let (mut files, mut length) = (Vec::new(), 0);
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.is_file() && length < MAX_BYTES as usize {
            let file = file.to_str().and_then(|file| read(file).ok()).flatten();
            length += file.as_ref().map_or(0, |file| file.content.len());
            files.extend(file);
        }
    }
    if files.is_empty() {
        return Err(format!("the directory {path} contains no readable file"));
    }
    Ok(files)
}

/// Reads a file. Returns `None` for an empty path, which unsets the option.
pub(super) fn read(path: &str) -> Result<Option<PemFile>, String> {
    if path.is_empty() {
        return Ok(None);
    }
    let mut content = Zeroizing::new(Vec::new());
    File::open(path)
        .and_then(|file| {
            // The buffer must not grow: reallocation would leave copies of a private key in freed memory.
            let length = file.metadata()?.len().min(MAX_BYTES);
            content.reserve_exact(length as usize + 1);
            file.take(MAX_BYTES).read_to_end(&mut content)
        })
        .map_err(|error| format!("the file {path} cannot be read: {error}"))?;
    if content.is_empty() {
        return Err(format!("the file {path} is empty"));
    }
    Ok(Some(PemFile { path: path.to_owned(), content }))
}
