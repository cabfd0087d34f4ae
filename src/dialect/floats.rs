//! Lists of numbers in JSON, read fast: an answer with vectors is little else.

/// Powers of ten that 64-bit floats hold exactly, up to the largest such one.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

const WHOLE_POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// Whole numbers up to this one are 64-bit floats as they are.
const EXACT: u64 = 1 << 53;

/// As many digits always fit into 64 bits.
const MAX_DIGITS: usize = 19;

/// Reads a list of numbers from behind its `[`, and returns where it ends, behind its `]`. `None` if it is not a list of
/// numbers and nothing else, or not JSON, or if `take` returns false.
pub(super) fn list(text: &[u8], mut take: impl FnMut(f32) -> bool) -> Option<usize> {
    let mut at = 0;
    loop {
        at += spaces(&text[at..]);
        let (number, length) = number(&text[at..])?;
        if !take(number as f32) {
            return None;
        }
        at += length;
        at += spaces(&text[at..]);
        match text.get(at)? {
            b',' => at += 1,
            b']' => return Some(at + 1),
            _ => return None,
        }
    }
}

#[inline(always)]
fn spaces(text: &[u8]) -> usize {
    text.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count()
}

/// The number at the beginning of the text, and how long it is there.
#[inline(always)]
fn number(text: &[u8]) -> Option<(f64, usize)> {
    let is_negative = text.first() == Some(&b'-');
    let start = usize::from(is_negative);
    let (mut mantissa, whole) = few_digits(&text[start..], 0);
    if whole == 0 || (whole > 1 && text[start] == b'0') {
        return None;
    }
    let mut at = start + whole;
    let mut fraction = 0;
    if text.get(at) == Some(&b'.') {
        (mantissa, fraction) = digits(&text[at + 1..], mantissa);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    let mut exponent = -(fraction as i64);
    if let Some(b'e' | b'E') = text.get(at) {
        let (written, length) = exponent_of(&text[at + 1..])?;
        exponent = exponent.saturating_add(written);
        at += 1 + length;
    }
    let power = usize::try_from(exponent.unsigned_abs()).ok().and_then(|exponent| POWERS.get(exponent));
    let size = match power {
        Some(power) if whole + fraction <= MAX_DIGITS && exponent < 0 => mantissa as f64 / power,
        Some(power) if whole + fraction <= MAX_DIGITS => mantissa as f64 * power,
        _ => return slow(&text[..at]),
    };
    if mantissa > EXACT && is_doubtful(size) {
        return slow(&text[..at]);
    }
    Some((if is_negative { -size } else { size }, at))
}

/// Whether a number that was rounded more than once may become another one of 32 bits than it should: it lies so close
/// to the middle between two of them that the last bits decide, or is so small that 32 bits hold fewer of them.
fn is_doubtful(size: f64) -> bool {
    const BITS_LEFT_OUT: u64 = (1 << 29) - 1;
    const MIDDLE: u64 = 1 << 28;
    (size.to_bits() & BITS_LEFT_OUT).abs_diff(MIDDLE) <= 4 || size < f64::from(f32::MIN_POSITIVE)
}

#[cold]
fn slow(number: &[u8]) -> Option<(f64, usize)> {
    Some((std::str::from_utf8(number).ok()?.parse().ok()?, number.len()))
}

/// Adds the digits at the beginning of the text to a number, and says how many they are. If they are too many, the
/// number is wrong.
#[inline(always)]
fn few_digits(text: &[u8], mut number: u64) -> (u64, usize) {
    let mut at = 0;
    while let Some(digit) = text.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    (number, at)
}

/// As [`few_digits`], eight at a time.
#[inline(always)]
fn digits(text: &[u8], mut number: u64) -> (u64, usize) {
    let mut at = 0;
    while let Some(eight) = text.get(at..).and_then(<[u8]>::first_chunk) {
        // Each byte less '0' is the digit, and more than 9 where it is none.
        let values = u64::from_le_bytes(*eight) ^ 0x3030_3030_3030_3030;
        let others = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
        if others == 0 {
            number = number.wrapping_mul(100_000_000).wrapping_add(eight_digits(values));
            at += 8;
            continue;
        }
        let count = others.trailing_zeros() as usize / 8;
        // What is behind them falls out, and zeros come before them. Not in one step: 64 bits at once cannot be shifted.
        let value = eight_digits(values << 8 << (56 - 8 * count));
        return (number.wrapping_mul(WHOLE_POWERS[count]).wrapping_add(value), at + count);
    }
    let (number, more) = few_digits(&text[at..], number);
    (number, at + more)
}

/// The number of eight digits, the first in the lowest byte: first pairs of them are put together, then pairs of pairs.
fn eight_digits(digits: u64) -> u64 {
    let pairs = (digits.wrapping_mul(10).wrapping_add(digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100).wrapping_add(pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours.wrapping_mul(10_000).wrapping_add(fours >> 32)) & 0xffff_ffff
}

/// What is behind the "e", and how long it is. One that is too large for any number stays so.
#[cold]
fn exponent_of(text: &[u8]) -> Option<(i64, usize)> {
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let digits = text[sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = text[sign..sign + digits]
        .iter()
        .fold(0i64, |value, digit| value.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    (digits > 0).then_some((if text.first() == Some(&b'-') { -value } else { value }, sign + digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Option<Vec<f32>> {
        let mut numbers = Vec::new();
        let end = list(text.strip_prefix('[')?.as_bytes(), |number| {
            numbers.push(number);
            true
        })?;
        assert_eq!(end, text.trim_end_matches('!').len() - 1, "{text}");
        Some(numbers)
    }

    #[test]
    fn reads_numbers_as_the_standard_library_does() {
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
    fn reads_lists_however_they_are_spaced() {
        assert_eq!(numbers("[1,2,-3]"), Some(vec![1.0, 2.0, -3.0]));
        assert_eq!(numbers("[ 1 ,\t2e1\r\n, 3.5 ]!"), Some(vec![1.0, 20.0, 3.5]));
        assert_eq!(numbers("[1e39]"), Some(vec![f32::INFINITY]));
    }

    #[test]
    fn takes_nothing_else_for_a_list_of_numbers() {
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
        assert_eq!(list(b"1,2]", |_| false), None);
    }
}
