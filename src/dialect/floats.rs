//! Lists of numbers in JSON: nearly all of an embeddings response.
//!
//! Numbers are read by fast-float2 as 64-bit floats and rounded to 32 bits. Reading 1,000 lists of 1,536 numbers took,
//! in the list loop below, on one core of an x86-64 server (the range is from 8 to 17 digits):
//!
//! | parser | time |
//! |---|---|
//! | fast-float2, f64 | 26 to 38 ms |
//! | serde_json, f64 without correct rounding | 26 to 41 ms |
//! | std, f64 | 31 to 51 ms |
//! | std, f32 | 39 to 52 ms |
//! | a parser written for this file, since deleted | 21 to 36 ms |

/// Parses an array of numbers that starts after its `[`, passes each number to `take`, and returns the offset after
/// its `]`. Returns `None` if it is empty, contains anything but numbers, or is not JSON, or if `take` returns false.
pub(super) fn parse_list(json: &[u8], mut take: impl FnMut(f32) -> bool) -> Option<usize> {
    let mut at = 0;
    loop {
        at += count_spaces(&json[at..]);
        let (number, length) = parse_number(&json[at..])?;
        if !take(number as f32) {
            return None;
        }
        at += length;
        at += count_spaces(&json[at..]);
        match json.get(at)? {
            b',' => at += 1,
            b']' => return Some(at + 1),
            _ => return None,
        }
    }
}

#[inline(always)]
fn count_spaces(json: &[u8]) -> usize {
    json.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count()
}

/// Returns the number that the JSON starts with, and its length. One too large for a float is infinite.
#[inline(always)]
fn parse_number(json: &[u8]) -> Option<(f64, usize)> {
    // fast-float2 accepts more than JSON: "+1", "01", ".5", "1." and "inf".
    let digits = json.strip_prefix(b"-").unwrap_or(json);
    let whole = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if whole == 0 || (whole > 1 && digits[0] == b'0') {
        return None;
    }
    if digits.get(whole) == Some(&b'.') && !digits.get(whole + 1).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    fast_float2::parse_partial(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Option<Vec<f32>> {
        let mut numbers = Vec::new();
        let end = parse_list(text.strip_prefix('[')?.as_bytes(), |number| {
            numbers.push(number);
            true
        })?;
        assert_eq!(end, text.trim_end_matches('!').len() - 1, "{text}");
        Some(numbers)
    }

    #[test]
    fn numbers_are_those_of_the_standard_library() {
        let mut texts: Vec<String> = [
            "0",
            "-0",
            "0.0",
            "1",
            "-1",
            "10",
            "0.1",
            "-0.25",
            "123456.789",
            "1e0",
            "1E5",
            "1e+5",
            "1.5e-7",
            "-2.5E-3",
            "1e-45",
            "1.4e-45",
            "3.4028235e38",
            "1e22",
            "1e23",
            "1e-22",
            "1e-23",
            "123e-400",
            "0e999999999999999999999",
            "0.0000000000000000000000000000000000000000000001",
            "9007199254740993",
            "9999999999999999999",
            "18446744073709551616",
            "123456789012345678901234567890",
            "0.1234567890123456789012345678901234567890",
            "0.00000000000000000001234567890123456789",
            "1e-99999999999999999999",
            "-0.006929283495992422",
            "0.023064255714416504",
            "33554433",
            "16777217.0",
            "0.013436728622764349",
            "0.100000001490116119384765625",
        ]
        .map(str::to_owned)
        .to_vec();
        let mut state = 1u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let number = f32::from_bits((state >> 32) as u32);
            if number.is_finite() {
                texts.push(format!("{number:e}"));
                texts.push(format!("{}", f64::from(number) / 3e5));
                texts.push(format!("{:?}", number % 1.0));
            }
        }
        for text in texts {
            let [found] = numbers(&format!("[{text}]!!!!!!!!!")).unwrap()[..] else { panic!("{text}") };
            let expected = text.parse::<f64>().unwrap() as f32;
            assert_eq!(found.to_bits(), expected.to_bits(), "{text}: {found:e} {expected:e}");
        }
    }

    #[test]
    fn spaces_are_skipped() {
        assert_eq!(numbers("[1,2,-3]"), Some(vec![1.0, 2.0, -3.0]));
        assert_eq!(numbers("[ 1 ,\t2e1\r\n, 3.5 ]!"), Some(vec![1.0, 20.0, 3.5]));
        assert_eq!(numbers("[1e39]"), Some(vec![f32::INFINITY]));
    }

    #[test]
    fn anything_but_a_list_of_numbers_is_refused() {
        for text in [
            "[]",
            "[",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "[1,,2]",
            "[1 2]",
            "[01]",
            "[-]",
            "[-01]",
            "[1.]",
            "[.5]",
            "[1.e5]",
            "[1e]",
            "[1e+]",
            "[--1]",
            "[+1]",
            "[0x1]",
            "[1_0]",
            "[null]",
            "[1,\"2\"]",
            "[[1]]",
            "[1,[2]]",
            "[1,{}]",
            "[true]",
            "[NaN]",
            "[1]]"[..2].as_ref(),
            "[12345678",
            "[0.12345678",
            "[0.12345678,",
        ] {
            assert_eq!(numbers(text), None, "{text}");
        }
        assert_eq!(parse_list(b"1,2]", |_| false), None);
    }
}
