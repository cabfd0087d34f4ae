//! Masks secrets in what servers send back.

use memchr::memmem;
use zeroize::Zeroizing;

/// Shorter strings are not masked: they are weak secrets, and part of ordinary sentences.
const MIN_SECRET: usize = 6;

const MASK: &str = "***";

/// Masks all forms of a secret in a string.
pub fn mask_text(text: &str, secret: &str) -> String {
    forms(secret).iter().fold(text.to_owned(), |text, form| mask_cut(text.replace(form.as_str(), MASK), form))
}

/// Masks all forms of a secret in bytes, also the beginning of it at their end, where they may have been cut.
pub fn mask_bytes(bytes: Vec<u8>, secret: &str) -> Vec<u8> {
    forms(secret).iter().fold(bytes, |bytes, form| {
        let mut bytes = replace(bytes, form.as_bytes());
        let cut = (MIN_SECRET..form.len()).rev().find(|len| bytes.ends_with(&form.as_bytes()[..*len]));
        if let Some(len) = cut {
            bytes.truncate(bytes.len() - len);
            bytes.extend_from_slice(MASK.as_bytes());
        }
        bytes
    })
}

fn replace(bytes: Vec<u8>, secret: &[u8]) -> Vec<u8> {
    let places: Vec<usize> = memmem::find_iter(&bytes, secret).collect();
    if places.is_empty() {
        return bytes;
    }
    let (mut masked, mut end) = (Vec::new(), 0);
    for at in places {
        masked.extend_from_slice(&bytes[end..at]);
        masked.extend_from_slice(MASK.as_bytes());
        end = at + secret.len();
    }
    masked.extend_from_slice(&bytes[end..]);
    masked
}

/// Returns the forms in which a server may repeat a secret: as it is, without the name of its scheme, percent-encoded,
/// in JSON, or with its spaces collapsed.
fn forms(secret: &str) -> Vec<Zeroizing<String>> {
    // Credentials have one space, after the scheme. A password may have several.
    let without_scheme = secret.split_once(' ').map(|(_, token)| token).filter(|token| !token.contains(' '));
    let mut forms: Vec<Zeroizing<String>> = Vec::new();
    for form in std::iter::once(secret).chain(without_scheme) {
        let json = serde_json::to_string(form).map(Zeroizing::new).unwrap_or_default();
        let json = json.get(1..json.len().saturating_sub(1)).unwrap_or_default();
        let words: Vec<_> = form.split_whitespace().collect();
        for form in [form.to_owned(), percent_encoded(form), json.to_owned(), words.join(" ")] {
            let form = Zeroizing::new(form);
            if form.len() >= MIN_SECRET && !forms.contains(&form) {
                forms.push(form);
            }
        }
    }
    forms
}

/// Percent-encodes a string as a part of a URL.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(3 * text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte as char);
        } else {
            let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default().to_ascii_uppercase();
            encoded.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    encoded
}

/// Masks the beginning of a secret before each "…", which marks where a string was cut.
fn mask_cut(text: String, secret: &str) -> String {
    const CUT: char = '…';
    let beginnings: Vec<&str> = (MIN_SECRET..secret.len()).rev().filter_map(|len| secret.get(..len)).collect();
    let Some((parts, end)) = text.rsplit_once(CUT) else { return text };
    let mut masked = String::with_capacity(text.len());
    for part in parts.split(CUT) {
        match beginnings.iter().find_map(|beginning| part.strip_suffix(beginning)) {
            Some(before) => masked.extend([before, MASK]),
            None => masked.push_str(part),
        }
        masked.push(CUT);
    }
    masked.push_str(end);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_cut_secrets_are_masked() {
        assert_eq!(mask_text("no: Bearer hunter2 is on", "Bearer hunter2"), "no: *** is on");
        assert_eq!(mask_text("token hunter2", "Bearer hunter2"), "token ***");
        assert_eq!(mask_text("it is on", "on"), "it is on");
        assert_eq!(mask_text("/endpoints/x", "may use endpoints"), "/endpoints/x");
        let long = "Bearer hunter2hunter2";
        assert_eq!(mask_text("it begins with: hunter2hun… (1)", long), "it begins with: ***… (1)");
        assert_eq!(mask_text("it begins with: Bearer hunter2…", long), "it begins with: ***…");
        assert_eq!(mask_text("it begins with: a hunt…", long), "it begins with: a hunt…");
        assert_eq!(mask_text("a hunter2…, b: hunter2hunt… …", long), "a ***…, b: ***… …");
    }

    #[test]
    fn encoded_secrets_are_masked() {
        let secret = "hun\"ter\\2 +/=";
        for repeated in [secret, "hun%22ter%5C2%20%2B%2F%3D", r#"hun\"ter\\2 +/="#] {
            assert_eq!(mask_text(&format!("a {repeated} b"), secret), "a *** b", "{repeated}");
        }
        assert_eq!(mask_text("a b c d", "a b  c\td"), "***");
        assert_eq!(mask_text("Bearer%20a%2Bbcdef", "Bearer a+bcdef"), "***");
    }

    #[test]
    fn secrets_in_binary_data_are_masked() {
        let masked = |bytes: &[u8]| mask_bytes(bytes.to_vec(), "Bearer hunter2");
        assert_eq!(masked(b"\xff hunter2 Bearer hunter2 hunter2\0"), b"\xff *** *** ***\0");
        assert_eq!(masked(b"it ends in Bearer hunt"), b"it ends in ***");
        assert_eq!(masked(b""), b"");
    }
}
