//! A call that is ready to be sent, now or later: snapshots of the handle's settings and of the request.

use std::sync::Arc;

use super::call::Call;
use super::completion;
use super::context::{CallContext, QueueContext};
use super::embed::Embeddings;
use super::error::{Error, Status};
use super::plan::{Operation, check_content};
use super::raw;
use super::request::RequestParts;
use super::response::Response;
use super::settings::Settings;
use super::stream::Stream;
use super::target::{CallRoute, Target};

/// A request with the settings of its call.
#[derive(Debug)]
pub(super) struct PreparedCall {
    target: Arc<Target>,
    settings: Arc<Settings>,
    request: Arc<RequestParts>,
}

impl PreparedCall {
    pub fn new(target: &Arc<Target>, settings: Arc<Settings>, request: Arc<RequestParts>) -> PreparedCall {
        PreparedCall { target: Arc::clone(target), settings, request }
    }

    /// Checks what would make the call fail before anything is sent.
    pub fn check(&self, operation: Operation) -> Result<(), Error> {
        if self.request.raw().is_some() {
            return if operation == Operation::Embeddings { Err(raw_embeddings()) } else { Ok(()) };
        }
        check_content(self.request.content()?, operation)?;
        self.route().and(self.settings.check())
    }

    /// Returns what the gateway's rate limits are counted for: the route, or the path of a raw request.
    pub fn rate_key(&self) -> &str {
        match (self.request.raw(), &self.request.route, &self.target.own_route) {
            (Some(raw), ..) => raw.target.path_without_query(),
            (None, Some(name), _) => name,
            (None, None, own) => own.as_ref().map_or("", |route| &route.name),
        }
    }

    /// Returns the number of bytes of the content.
    pub fn content_len(&self) -> usize {
        self.request.content_len()
    }

    /// Sends the request and returns the whole response.
    pub fn send(&self, queue: Option<&QueueContext>) -> Result<Response, Error> {
        if let Some(raw) = self.request.raw() {
            self.settings.check()?;
            let mut context = raw::begin(&self.target, Arc::clone(&self.settings), &self.request, raw);
            set_queue(&mut context, queue);
            return raw::request(&context, raw);
        }
        let content = self.request.content()?;
        completion::request(&self.begin(queue)?, content)
    }

    /// Sends the request and returns the response as a stream, after its head.
    pub fn stream(&self, queue: Option<&QueueContext>) -> Result<Stream, Error> {
        if let Some(raw) = self.request.raw() {
            self.settings.check()?;
            let mut context = raw::begin(&self.target, Arc::clone(&self.settings), &self.request, raw);
            set_queue(&mut context, queue);
            return Stream::open_raw(&context, raw);
        }
        let content = self.request.content()?;
        Stream::open(&self.begin(queue)?, content)
    }

    /// Sends a request for embeddings of its inputs.
    pub fn embed(&self, queue: Option<&QueueContext>) -> Result<Embeddings, Error> {
        if self.request.raw().is_some() {
            return Err(raw_embeddings());
        }
        let content = self.request.content()?;
        Embeddings::request(&self.begin(queue)?, content)
    }

    /// Begins a call to the request's route, or else to the handle's.
    fn begin<'a>(&'a self, queue: Option<&QueueContext<'a>>) -> Result<Call<'a>, Error> {
        let route = self.route()?;
        self.settings.check()?;
        let mut call = Call::new(&self.target, route, Arc::clone(&self.settings), Some(&self.request));
        set_queue(&mut call.context, queue);
        Ok(call)
    }

    fn route(&self) -> Result<CallRoute<'_>, Error> {
        self.target.route(self.request.route.as_deref()).ok_or_else(|| {
            Error::new(
                Status::InvalidArgument,
                "neither the request nor the handle has a route: set one with mlflow_gateway_request_set_route() or \
                 mlflow_gateway_create()",
            )
        })
    }
}

fn set_queue<'a>(context: &mut CallContext<'a>, queue: Option<&QueueContext<'a>>) {
    if let Some(queue) = queue {
        context.set_queue(queue);
    }
}

fn raw_embeddings() -> Error {
    let problem = "a request with a path has no embeddings; send it with mlflow_gateway_send()";
    Error::new(Status::InvalidArgument, problem)
}
