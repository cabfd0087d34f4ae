//! The response to a request, complete or gathered from a stream.

use std::sync::Arc;

use super::attempts::Attempts;
use super::candidate::Candidate;
use super::error::Error;
use super::nul_string::{NulString, copy_name};
use super::response_body::{Body, BodyDetails};
use super::response_headers::ResponseHeaders;
use super::timings::Times;
use crate::dialect::{Chunk, ModelResponse, Usage};
use crate::http::Reply;

/// The response to a request, or the part of it that a stream has gathered so far.
#[derive(Debug, Default)]
pub struct Response {
    pub(super) http_status: u16,
    headers: ResponseHeaders,
    attempts: u32,
    retry_reasons: Vec<NulString>,
    pub(super) times: Times,
    /// `None` for a stream.
    body: Option<Arc<Body>>,
    /// Gathered from a stream; those of a whole response are read from its body.
    details: BodyDetails,
    pub(super) candidates: Vec<Candidate>,
}

impl Response {
    /// Creates a response from a reply and its decoded body.
    pub(super) fn from_reply(reply: &Reply, decoded: &ModelResponse) -> Result<Response, Error> {
        let candidates = decoded.candidates.iter().map(Candidate::from_decoded).collect::<Result<_, _>>()?;
        Ok(Response { candidates, ..Response::from_head(reply.status, &reply.head)? })
    }

    /// Creates a response without candidates from a response head.
    pub(super) fn from_head(http_status: u16, head: &[u8]) -> Result<Response, Error> {
        Ok(Response { http_status, headers: ResponseHeaders::new(head)?, ..Response::default() })
    }

    /// Attaches the body of a whole response.
    pub(super) fn with_body(mut self, body: Vec<u8>) -> Result<Response, Error> {
        let body = Arc::new(Body::new(body)?);
        for (index, candidate) in self.candidates.iter_mut().enumerate() {
            candidate.set_body(&body, index);
        }
        self.body = Some(body);
        Ok(self)
    }

    pub(super) fn note_attempts(&mut self, attempts: &Attempts) -> Result<(), Error> {
        self.attempts = attempts.sent();
        self.retry_reasons =
            attempts.retry_reasons().iter().map(|why| NulString::new(why)).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Returns the attempts in the form that an error takes.
    pub(super) fn error_attempts(&self) -> Attempts {
        let reasons = self.retry_reasons.iter().map(|why| why.as_str().to_owned()).collect();
        Attempts::new(self.attempts, reasons)
    }

    /// Adds the ID, model and usage of a stream's chunk.
    pub(super) fn add_details(&mut self, chunk: &Chunk) -> Result<(), Error> {
        let BodyDetails { id, model, usage } = &mut self.details;
        for (known, named) in [(id, &chunk.id), (model, &chunk.model)] {
            if known.is_none() {
                *known = copy_name(named.as_ref())?;
            }
        }
        *usage = chunk.usage.unwrap_or(*usage);
        Ok(())
    }

    /// Drops the body and the text of the candidates, which a stream without `gather_stream` does not keep.
    pub(super) fn discard_text(&mut self) {
        self.candidates.iter_mut().for_each(Candidate::discard_text);
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

    /// Returns the candidates.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Returns the response ID of the gateway.
    pub fn id(&self) -> Option<&NulString> {
        self.details().id.as_ref()
    }

    /// Returns the model, as the gateway names it.
    pub fn model(&self) -> Option<&NulString> {
        self.details().model.as_ref()
    }

    /// Returns the token counts that the gateway reports.
    pub fn usage(&self) -> &Usage {
        &self.details().usage
    }

    /// Returns the HTTP status, 200 to 299.
    pub fn http_status(&self) -> u16 {
        self.http_status
    }

    /// Returns the first response header of that name (case-insensitive).
    pub fn header(&self, name: &str) -> Option<&NulString> {
        self.headers.get(name)
    }

    /// Returns the number of times that the request was sent.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns why each retry was made.
    pub fn retry_reasons(&self) -> &[NulString] {
        &self.retry_reasons
    }

    /// Returns when each phase of the call ended.
    pub fn times(&self) -> &Times {
        &self.times
    }

    /// Returns the body of a whole response as received; `None` for a stream.
    pub fn body(&self) -> Option<&[u8]> {
        self.body_with_nul().map(|body| &body[..body.len() - 1])
    }

    /// As [`Response::body`], with a NUL terminator.
    pub(crate) fn body_with_nul(&self) -> Option<&[u8]> {
        self.body.as_ref().map(|body| body.with_nul())
    }
}
