//! Error responses: any body becomes an error message on one line, and a secret in it is masked.
//!
//! Input: a byte for the HTTP status (a letter from `a`), a byte for the length of the secret at the start of the body,
//! and the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mlflow_ai_gateway::fuzz::dialect::{ErrorKind, ErrorResponse};
use mlflow_ai_gateway::fuzz::http::{mask_bytes, mask_text};

const STATUSES: [u16; 20] =
    [400, 401, 403, 404, 405, 422, 429, 500, 501, 502, 503, 504, 200, 302, 408, 409, 413, 418, 599, 600];

/// The maximum length of a message in characters, with the mark of a cut.
const MAX_MESSAGE_CHARS: usize = 2000 + 1;

fuzz_target!(|input: &[u8]| {
    let [status, secret, body @ ..] = input else { return };
    let status = STATUSES[usize::from(status.wrapping_sub(b'a')) % STATUSES.len()];
    let error = ErrorResponse::read(status, body);
    assert_eq!(error, ErrorResponse::read(status, body), "parsed twice");
    let around = [b" \r\n\t", body, b"\n"].concat();
    assert_eq!(error, ErrorResponse::read(status, &around), "with whitespace around it");
    if let Some(message) = &error.message {
        assert!(!message.is_empty() && !message.contains(char::is_control), "{message:?}");
        assert!(message.chars().count() <= 2 * MAX_MESSAGE_CHARS, "{} characters", message.chars().count());
    }
    assert_ne!(error.code.as_deref(), Some(""));
    match error.kind {
        ErrorKind::BadRequest | ErrorKind::GuardrailBlocked => assert!(matches!(status, 400 | 422)),
        ErrorKind::Unauthorized => assert!(status == 401 && error.is_token_expired),
        ErrorKind::Forbidden => assert_eq!(status, 403),
        ErrorKind::NoSuchPath => assert!(matches!(status, 404 | 405)),
        ErrorKind::NoSuchRoute => assert_eq!(status, 404),
        ErrorKind::RateLimited | ErrorKind::BudgetExceeded => assert_eq!(status, 429),
        ErrorKind::Disabled => assert!(matches!(status, 500 | 501)),
        ErrorKind::ServerError => assert!((500..600).contains(&status)),
        ErrorKind::Other => {}
    }
    let secret = body.get(..usize::from(*secret)).and_then(|secret| std::str::from_utf8(secret).ok());
    if let Some(secret) = secret.filter(|secret| is_sure_to_be_masked(secret)) {
        mask(secret, body, &error);
    }
});

/// Returns whether the secret is long enough, and of characters that the mask itself cannot contain.
fn is_sure_to_be_masked(secret: &str) -> bool {
    secret.len() >= 6 && secret.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn mask(secret: &str, body: &[u8], error: &ErrorResponse) {
    let masked = mask_bytes(body.to_owned(), secret);
    assert!(!masked.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret} is in the body");
    for text in error.message.iter().chain(&error.code) {
        let masked = mask_text(text, secret);
        assert!(!masked.contains(secret), "{secret} is in {masked}");
        assert!(masked != *text || !text.contains(secret));
    }
}
