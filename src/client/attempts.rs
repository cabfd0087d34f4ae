//! How many times a request was sent, and the reason for each retry.

/// The attempts of one call. Only [`super::exchange`] counts them; each retry passes its reason here first.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempts {
    sent: u32,
    retry_reasons: Vec<String>,
    /// How many of the reasons are failures after which the same request was sent again.
    retries: u32,
    /// Whether the next attempt is a retry. Its reason is the last one.
    is_retry: bool,
}

impl Attempts {
    pub fn new(sent: u32, retry_reasons: Vec<String>) -> Attempts {
        Attempts { sent, retry_reasons, ..Attempts::default() }
    }

    /// The number of attempts of which any byte may have reached the server.
    pub fn sent(&self) -> u32 {
        self.sent
    }

    pub fn retry_reasons(&self) -> &[String] {
        &self.retry_reasons
    }

    pub fn retries(&self) -> u32 {
        self.retries
    }

    /// The reason for the attempt that comes next or is under way; `None` for the first attempt of a request.
    pub fn current_reason(&self) -> Option<&str> {
        self.retry_reasons.last().filter(|_| self.is_retry).map(String::as_str)
    }

    /// Starts a retry with a changed request: another path, another token or another body.
    pub fn retry_changed(&mut self, reason: &str) {
        self.retry_reasons.push(reason.to_owned());
        self.is_retry = true;
    }

    /// Starts a retry of the same request.
    pub fn retry(&mut self, failure: String) {
        self.retry_reasons.push(failure);
        self.retries += 1;
        self.is_retry = true;
    }

    /// Ends an attempt.
    pub fn finish(&mut self, is_sent: bool) {
        self.sent += u32::from(is_sent);
        self.is_retry = false;
    }

    /// Adds the retry reasons of a lookup that the call made first. Its attempts are not counted.
    pub fn add_lookup(&mut self, lookup: &Attempts) {
        self.retry_reasons.extend_from_slice(&lookup.retry_reasons);
    }

    /// The retries of a lookup that failed before the call itself sent anything.
    pub fn of_failed_lookup(self) -> Attempts {
        Attempts { sent: 0, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_applies_to_one_attempt() {
        let mut attempts = Attempts::default();
        assert_eq!(attempts.current_reason(), None);
        attempts.finish(true);
        attempts.retry("HTTP status 503".to_owned());
        assert_eq!(attempts.current_reason(), Some("HTTP status 503"));
        attempts.finish(false);
        assert_eq!(attempts.current_reason(), None);
        attempts.retry_changed("redirected");
        assert_eq!(attempts.current_reason(), Some("redirected"));
        attempts.finish(true);
        assert_eq!((attempts.sent(), attempts.retries()), (2, 1));
    }

    #[test]
    fn reason_of_a_lookup_is_not_the_reason_of_the_request() {
        let (mut attempts, mut lookup) = (Attempts::default(), Attempts::default());
        lookup.retry("HTTP status 503".to_owned());
        lookup.finish(true);
        attempts.add_lookup(&lookup);
        assert_eq!((attempts.sent(), attempts.retries(), attempts.current_reason()), (0, 0, None));
        assert_eq!(attempts.retry_reasons(), ["HTTP status 503"]);
    }
}
