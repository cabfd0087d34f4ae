//! What came of a question.

use std::sync::Arc;

use super::attempts::Attempts;
use super::candidate::Candidate;
use super::error::Error;
use super::nul_string::{NulString, name};
use super::response_body::{Body, BodyDetails};
use super::timings::Times;
use crate::dialect::{Chunk, ModelResponse, Usage};
use crate::http::{Reply, header_fields};

/// The answer to one question, or what is gathered of a stream so far.
#[derive(Debug, Default)]
pub struct Response {
    pub(super) http_status: u16,
    pub(super) headers: Vec<(String, NulString)>,
    attempts: u32,
    retry_reasons: Vec<NulString>,
    pub(super) times: Times,
    /// Of a whole response.
    body: Option<Arc<Body>>,
    /// Of a stream.
    details: BodyDetails,
    pub(super) candidates: Vec<Candidate>,
}

impl Response {
    /// Of a whole answer.
    pub(super) fn of(reply: &Reply, answer: &ModelResponse) -> Result<Response, Error> {
        let candidates = answer.candidates.iter().map(Candidate::of).collect::<Result<_, _>>()?;
        Ok(Response { candidates, ..Response::of_head(reply.status, &reply.head)? })
    }

    /// Of a stream that begins.
    pub(super) fn of_head(http_status: u16, head: &[u8]) -> Result<Response, Error> {
        let headers = header_fields(head)
            .map(|(name, value)| Ok((name.to_owned(), NulString::of(&String::from_utf8_lossy(value))?)))
            .collect::<Result<_, Error>>()?;
        Ok(Response { http_status, headers, ..Response::default() })
    }

    /// Keeps the body of a whole response.
    pub(super) fn with_body(mut self, body: Vec<u8>) -> Result<Response, Error> {
        let body = Arc::new(Body::of(body)?);
        for (place, candidate) in self.candidates.iter_mut().enumerate() {
            candidate.set_whole(&body, place);
        }
        self.body = Some(body);
        Ok(self)
    }

    pub(super) fn note_attempts(&mut self, attempts: &Attempts) -> Result<(), Error> {
        self.attempts = attempts.sent();
        self.retry_reasons = attempts.retry_reasons().iter().map(|why| NulString::of(why)).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// The same for an error.
    pub(super) fn told_attempts(&self) -> Attempts {
        let reasons = self.retry_reasons.iter().map(|why| why.as_str().to_owned()).collect();
        Attempts::new(self.attempts, reasons)
    }

    /// Adds what a stream's event says of the whole.
    pub(super) fn note(&mut self, chunk: &Chunk) -> Result<(), Error> {
        let BodyDetails { id, model, usage } = &mut self.details;
        for (known, named) in [(id, &chunk.id), (model, &chunk.model)] {
            if known.is_none() {
                *known = name(named.as_ref())?;
            }
        }
        *usage = chunk.usage.unwrap_or(*usage);
        Ok(())
    }

    /// Keeps of a whole response what is kept of a stream whose texts are not gathered.
    pub(super) fn forget_texts(&mut self) {
        self.candidates.iter_mut().for_each(Candidate::forget_texts);
        if let Some(body) = self.body.take() {
            self.details = body.details().clone();
        }
    }

    pub(super) fn shared_body(&self) -> Option<Arc<Body>> {
        self.body.clone()
    }

    fn details(&self) -> &BodyDetails {
        self.body.as_ref().map_or(&self.details, |body| body.details())
    }

    /// The candidates, the first one first.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The name that the gateway gives the response.
    pub fn id(&self) -> Option<&NulString> {
        self.details().id.as_ref()
    }

    /// The model that answered, as the gateway names it.
    pub fn model(&self) -> Option<&NulString> {
        self.details().model.as_ref()
    }

    /// How many tokens it took, as the gateway reports.
    pub fn usage(&self) -> &Usage {
        &self.details().usage
    }

    /// The HTTP status, which is a success.
    pub fn http_status(&self) -> u16 {
        self.http_status
    }

    /// A header of the answer, the first one of that name, without regard to case.
    pub fn header(&self, name: &str) -> Option<&NulString> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    /// How often the question was sent.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Why it was asked again, in a few words for each time.
    pub fn retry_reasons(&self) -> &[NulString] {
        &self.retry_reasons
    }

    /// When the parts of the call were done.
    pub fn times(&self) -> &Times {
        &self.times
    }

    /// The body of a whole response as it came; `None` for a stream.
    pub fn body(&self) -> Option<&[u8]> {
        self.body_with_nul().map(|body| &body[..body.len() - 1])
    }

    /// With a NUL byte behind it.
    pub(crate) fn body_with_nul(&self) -> Option<&[u8]> {
        self.body.as_ref().map(|body| body.with_nul())
    }
}
