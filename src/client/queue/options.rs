//! The options of a queue.

use super::super::error::{Error, Status, shortened};

/// More than any server handles for one client.
pub(super) const MAX_IN_FLIGHT: usize = 4096;

const NAMES: [&str; 6] =
    ["adaptive", "max_events", "max_in_flight", "max_queued", "requests_per_second", "tokens_per_minute"];

/// An option and its value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum QueueOption {
    Adaptive(bool),
    MaxEvents(usize),
    MaxInFlight(usize),
    MaxQueued(usize),
    /// `None`: no limit.
    RequestsPerSecond(Option<f64>),
    /// `None`: no limit.
    TokensPerMinute(Option<u64>),
}

impl QueueOption {
    pub fn parse(name: &str, value: &str) -> Result<QueueOption, Error> {
        let invalid = |expected: &str| {
            let shown = shortened(value);
            Error::new(
                Status::InvalidOptionValue,
                format!("the value \"{shown}\" of the option {name} is not valid; expected {expected}"),
            )
        };
        let integer = |min: u64, max: u64| match value.parse() {
            Ok(number) if (min..=max).contains(&number) && !value.starts_with('+') => Ok(number),
            _ => Err(invalid(&format!("an integer from {min} to {max}"))),
        };
        let size = |max: usize| integer(1, max as u64).map(|number| number as usize);
        Ok(match name {
            "adaptive" => QueueOption::Adaptive(match value {
                "true" => true,
                "false" => false,
                _ => return Err(invalid("true or false")),
            }),
            "max_events" => QueueOption::MaxEvents(size(65_536)?),
            "max_in_flight" => QueueOption::MaxInFlight(size(MAX_IN_FLIGHT)?),
            "max_queued" => QueueOption::MaxQueued(size(1_000_000)?),
            "requests_per_second" => QueueOption::RequestsPerSecond(match parse_decimal(value) {
                Some(0.0) => None,
                Some(rate @ 0.000_01..=1_000_000.0) => Some(rate),
                _ => return Err(invalid("0 (no limit), or a decimal number from 0.00001 to 1000000")),
            }),
            "tokens_per_minute" => {
                QueueOption::TokensPerMinute(Some(integer(0, 1_000_000_000_000)?).filter(|limit| *limit > 0))
            }
            _ => {
                let (shown, names) = (shortened(name), NAMES.join(", "));
                let problem = format!("a queue has no option \"{shown}\"; it has {names}");
                return Err(Error::new(Status::UnknownOption, problem));
            }
        })
    }
}

/// Parses digits with at most one decimal point, in any locale.
fn parse_decimal(value: &str) -> Option<f64> {
    let is_decimal = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    value.parse().ok().filter(|_| is_decimal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_ranges() {
        for (name, value, option) in [
            ("adaptive", "true", QueueOption::Adaptive(true)),
            ("max_events", "65536", QueueOption::MaxEvents(65_536)),
            ("max_in_flight", "4096", QueueOption::MaxInFlight(4096)),
            ("max_queued", "1", QueueOption::MaxQueued(1)),
            ("requests_per_second", "0.5", QueueOption::RequestsPerSecond(Some(0.5))),
            ("requests_per_second", "0", QueueOption::RequestsPerSecond(None)),
            ("tokens_per_minute", "90000", QueueOption::TokensPerMinute(Some(90_000))),
            ("tokens_per_minute", "0", QueueOption::TokensPerMinute(None)),
        ] {
            assert_eq!(QueueOption::parse(name, value).unwrap(), option);
        }
        for (name, value) in [
            ("adaptive", "yes"),
            ("max_events", "0"),
            ("max_in_flight", "4097"),
            ("max_in_flight", "+8"),
            ("max_queued", ""),
            ("requests_per_second", "-1"),
            ("requests_per_second", "1e3"),
            ("requests_per_second", "inf"),
            ("tokens_per_minute", "1.5"),
        ] {
            assert_eq!(QueueOption::parse(name, value).unwrap_err().status(), Status::InvalidOptionValue, "{name}");
        }
        assert_eq!(QueueOption::parse("timeout_ms", "1").unwrap_err().status(), Status::UnknownOption);
    }
}
