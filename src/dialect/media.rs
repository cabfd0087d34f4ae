//! Images and audio in a message, in OpenAI's format.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Why a message is invalid, or a part cannot be added to it.
#[derive(Debug)]
pub struct InvalidMessage(pub String);

/// The maximum length of a media type: 127 characters on each side of the slash (RFC 6838, 4.2).
const MAX_TYPE: usize = 255;

/// The subtypes for which OpenAI has another name.
const FORMATS: [(&str, &str); 6] =
    [("mpeg", "mp3"), ("mpeg3", "mp3"), ("x-mp3", "mp3"), ("x-wav", "wav"), ("wave", "wav"), ("vnd.wave", "wav")];

/// An image or an audio recording.
#[derive(Debug, Clone, Copy)]
pub struct Media<'a> {
    kind: Kind<'a>,
    bytes: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
enum Kind<'a> {
    /// An image of this media type.
    Image(&'a str),
    /// A recording of this format.
    Audio(&'a str),
}

impl<'a> Media<'a> {
    /// Checks the media type, for example `image/png` or `audio/wav`, which must be in lower case.
    pub fn new(media_type: &'a str, bytes: &'a [u8]) -> Result<Media<'a>, InvalidMessage> {
        let invalid = |problem: String| Err(InvalidMessage(problem));
        let is_token = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
        };
        let kind = match media_type.split_once('/') {
            Some((kind, subtype)) if is_token(kind) && is_token(subtype) && media_type.len() <= MAX_TYPE => {
                match kind {
                    "image" => Kind::Image(media_type),
                    "audio" => Kind::Audio(
                        FORMATS.iter().find(|(name, _)| *name == subtype).map_or(subtype, |(_, format)| format),
                    ),
                    _ => {
                        return invalid(format!(
                            "the media type \"{media_type}\" is not supported; image/... and audio/... are"
                        ));
                    }
                }
            }
            _ => {
                let problem = "the media type must be a type and a subtype in ASCII, for example \"image/png\"";
                return invalid(problem.to_owned());
            }
        };
        if bytes.is_empty() {
            return invalid(format!("the {media_type} is empty"));
        }
        Ok(Media { kind, bytes })
    }

    /// Writes the part of a message's content.
    pub(super) fn write_part(&self, json: &mut String) {
        // Media types and base64 need no escapes.
        let (before, after) = match self.kind {
            Kind::Image(media_type) => {
                (format!(r#"{{"type":"image_url","image_url":{{"url":"data:{media_type};base64,"#), r#""}}"#.to_owned())
            }
            Kind::Audio(format) => {
                (r#"{"type":"input_audio","input_audio":{"data":""#.to_owned(), format!(r#"","format":"{format}"}}}}"#))
            }
        };
        json.reserve(before.len() + self.bytes.len().div_ceil(3) * 4 + after.len());
        json.push_str(&before);
        push_base64(self.bytes, json);
        json.push_str(&after);
    }
}

fn push_base64(bytes: &[u8], to: &mut String) {
    const GROUP: usize = 3;
    let mut encoded = [0u8; 1024];
    for chunk in bytes.chunks(encoded.len() / 4 * GROUP) {
        let length = STANDARD.encode_slice(chunk, &mut encoded);
        debug_assert!(length.is_ok(), "the buffer fits a chunk");
        let encoded = std::str::from_utf8(&encoded[..length.unwrap_or_default()]);
        to.push_str(encoded.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(media_type: &str, bytes: &[u8]) -> String {
        let mut json = String::new();
        Media::new(media_type, bytes).unwrap().write_part(&mut json);
        json
    }

    #[test]
    fn media_type_selects_the_format_of_the_part() {
        let image = r#"{"type":"image_url","image_url":{"url":"data:image/svg+xml;base64,/wA="}}"#;
        assert_eq!(part("image/svg+xml", &[255, 0]), image);
        for (media_type, format) in
            [("audio/wav", "wav"), ("audio/x-wav", "wav"), ("audio/mpeg", "mp3"), ("audio/flac", "flac")]
        {
            let audio = format!(r#"{{"type":"input_audio","input_audio":{{"data":"AA==","format":"{format}"}}}}"#);
            assert_eq!(part(media_type, &[0]), audio);
        }
    }

    #[test]
    fn base64_of_chunks_is_that_of_the_whole() {
        let bytes: Vec<_> = (0..3000u32).map(|number| (number * 7 % 256) as u8).collect();
        for length in [1, 767, 768, 769, 1536, 3000] {
            let mut json = String::new();
            push_base64(&bytes[..length], &mut json);
            assert_eq!(STANDARD.decode(json).unwrap(), &bytes[..length], "{length}");
        }
    }

    #[test]
    fn media_that_is_neither_image_nor_audio_is_refused() {
        for media_type in [
            "",
            "image",
            "image/",
            "/png",
            "video/mp4",
            "text/plain",
            "image/a b",
            "image/png;x=1",
            "image/\"",
            "a/b/c",
        ] {
            assert!(Media::new(media_type, b"x").is_err(), "{media_type}");
        }
        assert!(Media::new(&format!("image/{}", "a".repeat(300)), b"x").is_err());
        assert!(Media::new("image/png", b"").is_err());
    }
}
