//! The C functions, called in any order with any arguments, with any responses of the gateway.
//!
//! Input: a script, described in `src/script.rs`. `run` lists the letters of the functions.
#![no_main]
// Each letter stands for one function.
#![deny(unreachable_patterns)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::{Once, OnceLock};
use std::thread::{self, ThreadId};

use libfuzzer_sys::fuzz_target;
use mlflow_ai_gateway::ffi::cancel::*;
use mlflow_ai_gateway::ffi::completion::*;
use mlflow_ai_gateway::ffi::embeddings::*;
use mlflow_ai_gateway::ffi::event::*;
use mlflow_ai_gateway::ffi::gateway::*;
use mlflow_ai_gateway::ffi::json::*;
use mlflow_ai_gateway::ffi::log::*;
use mlflow_ai_gateway::ffi::queue::*;
use mlflow_ai_gateway::ffi::request::*;
use mlflow_ai_gateway::ffi::response::*;
use mlflow_ai_gateway::ffi::routes::*;
use mlflow_ai_gateway::ffi::send::*;
use mlflow_ai_gateway::ffi::status::*;
use mlflow_ai_gateway::ffi::stream::*;
use mlflow_ai_gateway::ffi::string::*;
use mlflow_ai_gateway::ffi::version::*;
use mlflow_ai_gateway_fuzz::checks::{self, Kind, bytes, create, sized, terminated};
use mlflow_ai_gateway_fuzz::script::{self, Call, Sized, Text};
use mlflow_ai_gateway_fuzz::server;

/// Long enough for a response of the local gateway, and short enough to wait for one that is never sent.
const TIMEOUT_MS: i64 = 50;

fuzz_target!(|input: &[u8]| {
    static SETUP: Once = Once::new();
    SETUP.call_once(clear_environment);
    CALLER.get_or_init(|| thread::current().id());
    let (calls, responses) = script::parse(input);
    server::port();
    server::set_responses(responses);
    let mut objects = Objects::default();
    for call in calls.iter().take(40) {
        objects.run(call);
    }
    drop(objects);
    server::set_responses(Vec::new());
    // The lowest free descriptor shows how many are open.
    // SAFETY: the new descriptor is ours.
    unsafe {
        let descriptor = libc::dup(2);
        assert!(descriptor < 128, "the library leaves descriptors open");
        libc::close(descriptor);
    }
});

/// The thread that makes all calls, on which alone callbacks run.
static CALLER: OnceLock<ThreadId> = OnceLock::new();

fn is_caller() -> bool {
    CALLER.get() == Some(&thread::current().id())
}

/// Removes the variables that the library reads.
fn clear_environment() {
    let names: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
    for name in names {
        let text = name.to_string_lossy().to_ascii_uppercase();
        if ["MLFLOW_", "DATABRICKS_", "OPENAI_", "_PROXY", "_BUNDLE", "SSL_CERT"].iter().any(|part| text.contains(part))
        {
            // SAFETY: there is no other thread yet.
            unsafe { std::env::remove_var(name) };
        }
    }
    // SAFETY: as above.
    unsafe { std::env::set_var("HOME", "/nowhere") };
}

/// The objects that are not destroyed yet.
#[derive(Default)]
struct Objects {
    gateways: [Handle; 2],
    requests: [Pointer<mlflow_gateway_request>; 2],
    responses: [Pointer<mlflow_gateway_response>; 2],
    streams: [Pointer<mlflow_gateway_stream>; 2],
    embeddings: [Pointer<mlflow_gateway_embeddings>; 2],
    routes: [Pointer<mlflow_gateway_routes>; 2],
    tokens: [Pointer<mlflow_gateway_cancel_token>; 2],
    queues: [Queue; 2],
    completions: [Pointer<mlflow_gateway_completion>; 2],
}

#[derive(Default)]
struct Queue {
    pointer: Pointer<mlflow_gateway_queue>,
    descriptor: Option<c_int>,
    is_closed: bool,
    /// The number of requests that were submitted, and that are done.
    submitted: usize,
    done: usize,
}

struct Pointer<T>(*mut T);

impl<T> Default for Pointer<T> {
    fn default() -> Self {
        Pointer(ptr::null_mut())
    }
}

impl<T> Pointer<T> {
    fn take(&mut self) -> *mut T {
        std::mem::replace(&mut self.0, ptr::null_mut())
    }
}

#[derive(Default)]
struct Handle {
    pointer: Pointer<mlflow_gateway>,
    /// Whether it is a gateway on this machine, to which the fuzzer may send requests.
    is_local: bool,
}

impl Objects {
    fn run(&mut self, call: &Call) {
        // SAFETY: the objects are NULL or not destroyed, the arguments outlive the call, and outputs are writable or
        // NULL.
        unsafe {
            match call.function {
                b'a' => self.create_gateway(call),
                b'A' => self.destroy_gateway(call.gateway()),
                b'^' => self.clone_gateway(call),
                b'b' | b'c' | b'd' | b'e' | b'f' | b'g' | b'h' => self.set_param(call),
                b'i' => self.set_option(call),
                b'j' => self.set_header(call),
                b'k' => self.call(call),
                b'l' => self.identifying_params(call),
                b'm' => self.set_log(call),
                b'n' => self.create_request(call),
                b'N' => mlflow_gateway_request_destroy(self.requests[call.request()].take()),
                b'o' | b'p' | b'q' | b'r' | b's' => self.fill_request(call),
                b'1' => self.set_request_route(call),
                b'B' | b'C' | b'D' | b'E' | b'F' | b'G' | b'H' => self.set_request_param(call),
                b'I' => self.set_request_option(call),
                b'J' => self.set_request_header(call),
                b'y' => self.send(call),
                b'Y' => {
                    read_response(self.responses[call.result()].0, call);
                    mlflow_gateway_response_destroy(self.responses[call.result()].take());
                }
                b't' => self.open_stream(call),
                b'u' => self.next_event(call),
                b'2' => self.take_response(call),
                b'v' => read_response(mlflow_gateway_stream_response(self.streams[call.result()].0), call),
                b'T' => mlflow_gateway_stream_destroy(self.streams[call.result()].take()),
                b'w' => self.call_stream(call),
                b'x' => self.embed(call),
                b'X' => {
                    read_embeddings(self.embeddings[call.result()].0, call);
                    mlflow_gateway_embeddings_destroy(self.embeddings[call.result()].take());
                }
                b'K' | b'L' => self.find_routes(call),
                b'z' => {
                    read_routes(self.routes[call.result()].0);
                    mlflow_gateway_routes_destroy(self.routes[call.result()].take());
                }
                b'M' | b'O' | b'P' | b'Q' | b'R' => self.manage(call),
                b'S' => self.create_token(call),
                b'U' => self.destroy_token(call.result()),
                b'V' | b'W' => self.cancel(call),
                b'Z' | b'0' => self.set_token(call),
                b'&' => self.clone_request(call),
                b'<' => self.add_response(call),
                b'+' | b'@' | b'?' | b'/' | b'-' => self.shape_request(call),
                b'7' | b'8' | b'9' => json(call),
                b'3' => self.create_queue(call),
                b'4' => self.destroy_queue(call.result()),
                b'5' => self.set_queue_option(call),
                b'6' => self.submit(call),
                b'>' => self.fetch(call),
                b'#' => self.find_descriptor(call),
                b'%' => self.count(call),
                b'!' => self.cancel_tag(call),
                b'.' => self.close(call),
                b'=' => {
                    self.read_completion(call);
                    mlflow_gateway_completion_destroy(self.completions[call.gateway()].take());
                }
                _ => constants(call),
            }
        }
    }

    unsafe fn create_gateway(&mut self, call: &Call) {
        let own = format!("http://127.0.0.1:{}", server::port());
        let (route, named) = (call.text(0), call.text(1));
        let (uri, is_local) = match named.as_str() {
            Some(path) if path.starts_with("S") => (Text::from(&format!("{own}{}", &path[1..])), true),
            // Nothing listens on this port, so the connection is refused.
            Some("R") => (Text::from("http://127.0.0.1:1"), true),
            _ => (named, false),
        };
        let place = call.gateway();
        let gateway = create(call, Kind::Local, |gateway, error| unsafe {
            mlflow_gateway_create(route.pointer(), uri.pointer(), gateway, error)
        });
        let Some(gateway) = gateway else { return };
        unsafe { self.destroy_gateway(place) };
        for (name, value) in [("timeout_ms", TIMEOUT_MS), ("max_retries", 1), ("retry_backoff_ms", 1)] {
            let (name, value) = (Text::from(name), Text::from(&value.to_string()));
            unsafe { mlflow_gateway_set_option(gateway, name.pointer(), value.pointer(), ptr::null_mut()) };
        }
        // The path is arbitrary, but the host is this one.
        let is_local = is_local && !uri.as_str().is_some_and(|uri| uri.contains(['@', '\\']));
        self.gateways[place] = Handle { pointer: Pointer(gateway), is_local };
    }

    /// Clones a gateway into the other place.
    unsafe fn clone_gateway(&mut self, call: &Call) {
        let gateway = self.gateway(call);
        let clone = create(call, Kind::Local, |clone, error| unsafe { mlflow_gateway_clone(gateway, clone, error) });
        let Some(clone) = clone else { return };
        let (place, is_local) = (1 - call.gateway(), self.gateways[call.gateway()].is_local);
        unsafe { self.destroy_gateway(place) };
        self.gateways[place] = Handle { pointer: Pointer(clone), is_local };
    }

    unsafe fn destroy_gateway(&mut self, place: usize) {
        unsafe { mlflow_gateway_destroy(std::mem::take(&mut self.gateways[place]).pointer.0) };
    }

    fn gateway(&self, call: &Call) -> *mut mlflow_gateway {
        self.gateways[call.gateway()].pointer.0
    }

    /// Returns the gateway for a call that sends requests; `None` if it is on another machine.
    fn local_gateway(&self, call: &Call) -> Option<*mut mlflow_gateway> {
        let handle = &self.gateways[call.gateway()];
        (handle.is_local || handle.pointer.0.is_null()).then_some(handle.pointer.0)
    }

    fn request(&self, call: &Call) -> *mut mlflow_gateway_request {
        self.requests[call.request()].0
    }

    unsafe fn set_param(&self, call: &Call) {
        let (gateway, name, value) = (self.gateway(call), call.text(0), call.text(1));
        let (name, value) = (name.pointer(), value.pointer());
        checks::status(call, Kind::Local, |error| unsafe {
            match call.function {
                b'b' => mlflow_gateway_set_param_double(gateway, name, call.double(1), error),
                b'c' => mlflow_gateway_set_param_int(gateway, name, call.int(1), error),
                b'd' => mlflow_gateway_set_param_bool(gateway, name, call.int(1) as c_int, error),
                b'e' => mlflow_gateway_set_param_string(gateway, name, value, error),
                b'f' => mlflow_gateway_set_param_json(gateway, name, value, error),
                b'g' => mlflow_gateway_add_stop(gateway, name, error),
                _ => mlflow_gateway_unset_param(gateway, name, error),
            }
        });
    }

    unsafe fn set_option(&self, call: &Call) {
        let (name, value) = (call.text(0), harmless(&call.text(0), call.text(1)));
        checks::status(call, Kind::Local, |error| unsafe {
            mlflow_gateway_set_option(self.gateway(call), name.pointer(), value.pointer(), error)
        });
    }

    unsafe fn set_header(&self, call: &Call) {
        let (name, value) = (call.text(0), call.text(1));
        checks::status(call, Kind::Local, |error| unsafe {
            mlflow_gateway_set_header(self.gateway(call), name.pointer(), value.pointer(), error)
        });
    }

    unsafe fn call(&self, call: &Call) {
        let (Some(gateway), prompt) = (self.local_gateway(call), call.text(0)) else { return };
        unsafe {
            call_for_string(call, Kind::Remote, |text, len, error| {
                mlflow_gateway_call(gateway, prompt.pointer(), text, len, error)
            })
        };
    }

    unsafe fn identifying_params(&self, call: &Call) {
        let gateway = self.gateway(call);
        unsafe {
            call_for_string(call, Kind::Local, |text, len, error| {
                mlflow_gateway_identifying_params(gateway, text, len, error)
            })
        };
    }

    /// The log's data has its own allocation, so that the sanitizer notices leaks and uses after it was destroyed.
    unsafe fn set_log(&self, call: &Call) {
        let on_log: mlflow_gateway_on_log = if call.has_outputs() { Some(on_log) } else { None };
        let data = Box::into_raw(Box::new(0u32));
        let status = checks::status(call, Kind::Local, |error| unsafe {
            let level = call.int(0) as i32;
            mlflow_gateway_set_log(self.gateway(call), level, on_log, data.cast(), Some(on_destroy), error)
        });
        if status != MLFLOW_GATEWAY_OK {
            // The library has not taken ownership.
            drop(unsafe { Box::from_raw(data) });
        }
    }

    unsafe fn create_request(&mut self, call: &Call) {
        let request =
            create(call, Kind::Local, |request, error| unsafe { mlflow_gateway_request_create(request, error) });
        let Some(request) = request else { return };
        let before = std::mem::replace(&mut self.requests[call.request()], Pointer(request));
        unsafe { mlflow_gateway_request_destroy(before.0) };
    }

    unsafe fn fill_request(&self, call: &Call) {
        let (request, role) = (self.request(call), call.text(0));
        let text = Sized::of(call, usize::from(call.function == b'p'));
        let (pointer, len) = (text.pointer(), text.length());
        checks::status(call, Kind::Local, |error| unsafe {
            match call.function {
                b'o' => mlflow_gateway_request_set_prompt(request, pointer, len, error),
                b'p' => mlflow_gateway_request_add_message(request, role.pointer(), pointer, len, error),
                b'q' => mlflow_gateway_request_add_message_json(request, pointer, len, error),
                b'r' => mlflow_gateway_request_add_input(request, pointer, len, error),
                _ => mlflow_gateway_request_set_body_json(request, pointer, len, error),
            }
        });
    }

    /// Clones a request into the other place.
    unsafe fn clone_request(&mut self, call: &Call) {
        let request = self.request(call);
        let clone =
            create(call, Kind::Local, |clone, error| unsafe { mlflow_gateway_request_clone(request, clone, error) });
        let Some(clone) = clone else { return };
        let before = std::mem::replace(&mut self.requests[1 - call.request()], Pointer(clone));
        unsafe { mlflow_gateway_request_destroy(before.0) };
    }

    unsafe fn shape_request(&self, call: &Call) {
        let (request, name, second) = (self.request(call), call.text(0), call.text(1));
        let name = name.pointer();
        let text = Sized::of(call, usize::from(call.function != b'+'));
        let (pointer, len) = (text.pointer(), text.length());
        checks::status(call, Kind::Local, |error| unsafe {
            match call.function {
                b'+' => mlflow_gateway_request_add_text(request, pointer, len, error),
                b'@' => mlflow_gateway_request_add_media(request, name, pointer.cast(), len, error),
                b'?' => mlflow_gateway_request_add_tool_result(request, name, pointer, len, error),
                b'/' => mlflow_gateway_request_set_path(request, name, second.pointer(), error),
                _ => mlflow_gateway_request_omit_param(request, name, error),
            }
        });
    }

    /// Adds a response, or with a second argument the response of a stream.
    unsafe fn add_response(&self, call: &Call) {
        let of_stream = call.text(1).as_str().is_some_and(|text| !text.is_empty());
        let candidate = usize::try_from(call.int(0)).unwrap_or(usize::MAX);
        checks::status(call, Kind::Local, |error| unsafe {
            let response = match call.result() {
                place if of_stream => mlflow_gateway_stream_response(self.streams[place].0),
                place => self.responses[place].0.cast_const(),
            };
            mlflow_gateway_request_add_response(self.request(call), response, candidate, error)
        });
    }

    unsafe fn set_request_param(&self, call: &Call) {
        let (request, name) = (self.request(call), call.text(0));
        let (name, value) = (name.pointer(), Sized::of(call, usize::from(call.function != b'G')));
        let (value, len) = (value.pointer(), value.length());
        checks::status(call, Kind::Local, |error| unsafe {
            match call.function {
                b'B' => mlflow_gateway_request_set_param_double(request, name, call.double(1), error),
                b'C' => mlflow_gateway_request_set_param_int(request, name, call.int(1), error),
                b'D' => mlflow_gateway_request_set_param_bool(request, name, call.int(1) as c_int, error),
                b'E' => mlflow_gateway_request_set_param_string(request, name, value, len, error),
                b'F' => mlflow_gateway_request_set_param_json(request, name, value, len, error),
                b'G' => mlflow_gateway_request_add_stop(request, value, len, error),
                _ => mlflow_gateway_request_unset_param(request, name, error),
            }
        });
    }

    unsafe fn set_request_route(&self, call: &Call) {
        let route = call.text(0);
        checks::status(call, Kind::Local, |error| unsafe {
            mlflow_gateway_request_set_route(self.request(call), route.pointer(), error)
        });
    }

    unsafe fn set_request_option(&self, call: &Call) {
        let (name, value) = (call.text(0), harmless(&call.text(0), call.text(1)));
        checks::status(call, Kind::Local, |error| unsafe {
            mlflow_gateway_request_set_option(self.request(call), name.pointer(), value.pointer(), error)
        });
    }

    unsafe fn set_request_header(&self, call: &Call) {
        let (name, value) = (call.text(0), call.text(1));
        checks::status(call, Kind::Local, |error| unsafe {
            mlflow_gateway_request_set_header(self.request(call), name.pointer(), value.pointer(), error)
        });
    }

    unsafe fn send(&mut self, call: &Call) {
        let (Some(gateway), request) = (self.local_gateway(call), self.request(call)) else { return };
        let response = create(call, Kind::Remote, |response, error| unsafe {
            mlflow_gateway_send(gateway, request, response, error)
        });
        let Some(response) = response else { return };
        let before = std::mem::replace(&mut self.responses[call.result()], Pointer(response));
        unsafe { mlflow_gateway_response_destroy(before.0) };
    }

    unsafe fn open_stream(&mut self, call: &Call) {
        let (Some(gateway), request) = (self.local_gateway(call), self.request(call)) else { return };
        let stream = create(call, Kind::Remote, |stream, error| unsafe {
            mlflow_gateway_stream_open(gateway, request, stream, error)
        });
        let Some(stream) = stream else { return };
        let before = std::mem::replace(&mut self.streams[call.result()], Pointer(stream));
        unsafe { mlflow_gateway_stream_destroy(before.0) };
    }

    unsafe fn next_event(&self, call: &Call) {
        let mut event = ptr::null();
        let place = if call.has_outputs() { &raw mut event } else { ptr::null_mut() };
        let status = checks::status(call, Kind::Stream, |error| unsafe {
            mlflow_gateway_stream_next(self.streams[call.result()].0, place, error)
        });
        assert_eq!(status == MLFLOW_GATEWAY_OK, !event.is_null());
        unsafe { read_event(event) };
    }

    unsafe fn take_response(&mut self, call: &Call) {
        let taken = unsafe { mlflow_gateway_stream_take_response(self.streams[call.result()].0) };
        if !taken.is_null() {
            let before = std::mem::replace(&mut self.responses[call.result()], Pointer(taken));
            unsafe { mlflow_gateway_response_destroy(before.0) };
        }
    }

    unsafe fn call_stream(&mut self, call: &Call) {
        let (Some(gateway), request) = (self.local_gateway(call), self.request(call)) else { return };
        let mut left = call.int(0);
        let on_event: mlflow_gateway_on_event = if left < 0 { None } else { Some(on_event) };
        let mut response = ptr::null_mut();
        let place = if call.has_outputs() { &raw mut response } else { ptr::null_mut() };
        let status = checks::status(call, Kind::Remote, |error| unsafe {
            mlflow_gateway_stream_call(gateway, request, on_event, (&raw mut left).cast(), place, error)
        });
        assert!(status != MLFLOW_GATEWAY_OK || call.has_outputs() != response.is_null());
        if !response.is_null() {
            let before = std::mem::replace(&mut self.responses[call.result()], Pointer(response));
            unsafe { mlflow_gateway_response_destroy(before.0) };
        }
    }

    unsafe fn embed(&mut self, call: &Call) {
        let (Some(gateway), request) = (self.local_gateway(call), self.request(call)) else { return };
        let embeddings = create(call, Kind::Remote, |embeddings, error| unsafe {
            mlflow_gateway_embed(gateway, request, embeddings, error)
        });
        let Some(embeddings) = embeddings else { return };
        let before = std::mem::replace(&mut self.embeddings[call.result()], Pointer(embeddings));
        unsafe { mlflow_gateway_embeddings_destroy(before.0) };
    }

    unsafe fn find_routes(&mut self, call: &Call) {
        let (Some(gateway), name) = (self.local_gateway(call), call.text(0)) else { return };
        let routes = create(call, Kind::Remote, |routes, error| unsafe {
            match call.function {
                b'K' => mlflow_gateway_list_routes(gateway, routes, error),
                _ => mlflow_gateway_get_route(gateway, name.pointer(), routes, error),
            }
        });
        let Some(routes) = routes else { return };
        let before = std::mem::replace(&mut self.routes[call.result()], Pointer(routes));
        unsafe { mlflow_gateway_routes_destroy(before.0) };
    }

    unsafe fn create_token(&mut self, call: &Call) {
        let token =
            create(call, Kind::Local, |token, error| unsafe { mlflow_gateway_cancel_token_create(token, error) });
        let Some(token) = token else { return };
        unsafe { self.destroy_token(call.result()) };
        self.tokens[call.result()] = Pointer(token);
        server::set_token(token);
    }

    unsafe fn destroy_token(&mut self, place: usize) {
        server::set_token(ptr::null_mut());
        unsafe { mlflow_gateway_cancel_token_destroy(self.tokens[place].take()) };
    }

    unsafe fn cancel(&self, call: &Call) {
        let token = self.tokens[call.result()].0;
        let should_be_cancelled = call.function == b'V' && !token.is_null();
        unsafe {
            match call.function {
                b'V' => mlflow_gateway_cancel(token),
                _ => mlflow_gateway_cancel_token_reset(token),
            }
            assert_eq!(mlflow_gateway_cancel_token_is_cancelled(token), c_int::from(should_be_cancelled));
        }
    }

    unsafe fn set_token(&self, call: &Call) {
        let token = self.tokens[call.result()].0;
        checks::status(call, Kind::Local, |error| unsafe {
            match call.function {
                b'Z' => mlflow_gateway_set_cancel_token(self.gateway(call), token, error),
                _ => mlflow_gateway_request_set_cancel_token(self.request(call), token, error),
            }
        });
    }

    /// A queue of a gateway on another machine would send requests.
    unsafe fn create_queue(&mut self, call: &Call) {
        let Some(gateway) = self.local_gateway(call) else { return };
        let queue =
            create(call, Kind::Local, |queue, error| unsafe { mlflow_gateway_queue_create(gateway, queue, error) });
        let Some(queue) = queue else { return };
        unsafe { self.destroy_queue(call.result()) };
        self.queues[call.result()].pointer = Pointer(queue);
    }

    unsafe fn destroy_queue(&mut self, place: usize) {
        unsafe { mlflow_gateway_queue_destroy(std::mem::take(&mut self.queues[place]).pointer.0) };
    }

    fn queue(&self, call: &Call) -> *mut mlflow_gateway_queue {
        self.queues[call.result()].pointer.0
    }

    unsafe fn set_queue_option(&self, call: &Call) {
        let (name, value) = (call.text(0), harmless(&call.text(0), call.text(1)));
        checks::status(call, Kind::Local, |error| unsafe {
            mlflow_gateway_queue_set_option(self.queue(call), name.pointer(), value.pointer(), error)
        });
    }

    unsafe fn submit(&mut self, call: &Call) {
        let (how, tag) = (call.int(0) as i32, call.int(1) as u64);
        let status = checks::status(call, Kind::Submit, |error| unsafe {
            mlflow_gateway_queue_submit(self.queue(call), self.request(call), how, tag, error)
        });
        let queue = &mut self.queues[call.result()];
        assert!(status != MLFLOW_GATEWAY_OK || !queue.is_closed);
        queue.submitted += usize::from(status == MLFLOW_GATEWAY_OK);
    }

    unsafe fn fetch(&mut self, call: &Call) {
        let queue = self.queue(call);
        // A request may wait for longer than an input may take, for example after a Retry-After of an hour.
        let is_ready = unsafe { mlflow_gateway_queue_count(queue, MLFLOW_GATEWAY_QUEUE_COUNT_UNFETCHED) > 0 };
        let timeout = if is_ready { call.int(0) } else { call.int(0).clamp(0, 2 * TIMEOUT_MS) };
        let was_readable = self.queues[call.result()].descriptor.is_some_and(is_readable);
        let mut status = MLFLOW_GATEWAY_OK;
        let completion = create(call, Kind::Fetch, |completion, error| {
            status = unsafe { mlflow_gateway_queue_next(queue, timeout, completion, error) };
            status
        });
        assert!(!was_readable || status != MLFLOW_GATEWAY_PENDING, "readable, but there is nothing");
        assert!(!is_ready || status != MLFLOW_GATEWAY_PENDING, "an unfetched completion is not returned");
        let queue = &mut self.queues[call.result()];
        if status == MLFLOW_GATEWAY_QUEUE_END {
            assert!(queue.is_closed);
            assert_eq!(queue.done, queue.submitted, "each request is done once");
        }
        let Some(completion) = completion else { return };
        unsafe {
            let is_done = mlflow_gateway_completion_kind(completion) == MLFLOW_GATEWAY_COMPLETION_DONE;
            queue.done += usize::from(is_done);
            let before = std::mem::replace(&mut self.completions[call.gateway()], Pointer(completion));
            mlflow_gateway_completion_destroy(before.0);
        }
    }

    unsafe fn find_descriptor(&mut self, call: &Call) {
        let mut descriptor = -1;
        let place = if call.has_outputs() { &raw mut descriptor } else { ptr::null_mut() };
        let status = checks::status(call, Kind::Local, |error| unsafe {
            mlflow_gateway_queue_fd(self.queue(call), place, error)
        });
        assert_eq!(status == MLFLOW_GATEWAY_OK, descriptor >= 0);
        if status == MLFLOW_GATEWAY_OK {
            self.queues[call.result()].descriptor = Some(descriptor);
        }
    }

    unsafe fn count(&self, call: &Call) {
        let (queue, kind) = (self.queue(call), call.int(0) as i32);
        let count = unsafe { mlflow_gateway_queue_count(queue, kind) };
        match kind {
            _ if queue.is_null() => assert_eq!(count, 0),
            MLFLOW_GATEWAY_QUEUE_COUNT_LIMIT => assert!((1..=4096).contains(&count)),
            MLFLOW_GATEWAY_QUEUE_COUNT_UNFETCHED => {}
            MLFLOW_GATEWAY_QUEUE_COUNT_WAITING | MLFLOW_GATEWAY_QUEUE_COUNT_IN_FLIGHT => {
                let Queue { submitted, done, .. } = self.queues[call.result()];
                assert!(count <= submitted - done);
            }
            _ => assert_eq!(count, 0),
        }
    }

    unsafe fn cancel_tag(&self, call: &Call) {
        let count = unsafe { mlflow_gateway_queue_cancel(self.queue(call), call.int(0) as u64) };
        let Queue { submitted, done, .. } = self.queues[call.result()];
        assert!(count <= submitted - done);
    }

    unsafe fn close(&mut self, call: &Call) {
        unsafe { mlflow_gateway_queue_close(self.queue(call)) };
        self.queues[call.result()].is_closed = true;
    }

    /// Reads a completion. Without outputs, it takes the response and the embeddings out.
    unsafe fn read_completion(&mut self, call: &Call) {
        let completion = self.completions[call.gateway()].0;
        unsafe {
            mlflow_gateway_completion_tag(completion);
            let kind = mlflow_gateway_completion_kind(completion);
            let status = mlflow_gateway_completion_status(completion);
            let event = mlflow_gateway_completion_event(completion);
            let response = mlflow_gateway_completion_response(completion);
            let embeddings = mlflow_gateway_completion_embeddings(completion);
            let error = mlflow_gateway_completion_error(completion);
            assert!((0..100).contains(&status), "the status {status}");
            assert_eq!(kind == 0, completion.is_null());
            assert_eq!(kind == MLFLOW_GATEWAY_COMPLETION_EVENT, !event.is_null());
            assert_eq!(status == MLFLOW_GATEWAY_OK, error.is_null());
            let results = usize::from(!response.is_null()) + usize::from(!embeddings.is_null());
            let is_complete = kind == MLFLOW_GATEWAY_COMPLETION_DONE && status == MLFLOW_GATEWAY_OK;
            assert!(results <= 1 && (results == 1 || !is_complete) && (embeddings.is_null() || is_complete));
            read_event(event);
            read_response(response, call);
            if !embeddings.is_null() {
                read_embeddings(embeddings, call);
            }
            let error = mlflow_gateway_completion_take_error(completion);
            if !error.is_null() {
                checks::check_error(error, status);
            }
            if !call.has_outputs() {
                let taken = Pointer(mlflow_gateway_completion_take_response(completion));
                assert_eq!(taken.0.cast_const(), response);
                let before = std::mem::replace(&mut self.responses[call.result()], taken);
                mlflow_gateway_response_destroy(before.0);
                let taken = Pointer(mlflow_gateway_completion_take_embeddings(completion));
                assert_eq!(taken.0.cast_const(), embeddings);
                let before = std::mem::replace(&mut self.embeddings[call.result()], taken);
                mlflow_gateway_embeddings_destroy(before.0);
                assert!(mlflow_gateway_completion_take_response(completion).is_null());
                assert!(mlflow_gateway_completion_embeddings(completion).is_null());
            }
        }
    }

    unsafe fn manage(&self, call: &Call) {
        let (Some(gateway), name, json) = (self.local_gateway(call), call.text(0), call.text(1)) else { return };
        let (name, json) = (name.pointer(), json.pointer());
        unsafe {
            let kind = Kind::Remote;
            match call.function {
                // These two may be called without an output, and then succeed without a string.
                b'O' if !call.has_outputs() => {
                    _ = checks::status(call, kind, |error| {
                        mlflow_gateway_set_limits(gateway, name, json, ptr::null_mut(), ptr::null_mut(), error)
                    });
                }
                b'P' if !call.has_outputs() => {
                    _ = checks::status(call, kind, |error| {
                        mlflow_gateway_create_route(gateway, json, ptr::null_mut(), ptr::null_mut(), error)
                    });
                }
                b'M' => call_for_string(call, kind, |text, len, error| {
                    mlflow_gateway_get_limits(gateway, name, text, len, error)
                }),
                b'O' => call_for_string(call, kind, |text, len, error| {
                    mlflow_gateway_set_limits(gateway, name, json, text, len, error)
                }),
                b'P' => call_for_string(call, kind, |text, len, error| {
                    mlflow_gateway_create_route(gateway, json, text, len, error)
                }),
                b'Q' => _ = checks::status(call, kind, |error| mlflow_gateway_delete_route(gateway, name, error)),
                _ => _ = checks::status(call, kind, |error| mlflow_gateway_health(gateway, error)),
            }
        }
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        // SAFETY: the objects are not destroyed. Handles go first: the others outlive them.
        unsafe {
            for place in 0..2 {
                self.destroy_gateway(place);
                mlflow_gateway_request_destroy(self.requests[place].0);
                mlflow_gateway_response_destroy(self.responses[place].0);
                mlflow_gateway_stream_destroy(self.streams[place].0);
                mlflow_gateway_embeddings_destroy(self.embeddings[place].0);
                mlflow_gateway_routes_destroy(self.routes[place].0);
                self.destroy_token(place);
                self.destroy_queue(place);
                mlflow_gateway_completion_destroy(self.completions[place].0);
            }
        }
    }
}

/// Replaces values of options with which the library would leave this machine, open files or wait.
fn harmless(name: &Text, value: Text) -> Text {
    let (Some(name), Some(text)) = (name.as_str(), value.as_str()) else { return value };
    match name {
        _ if name.ends_with("_file") && !text.is_empty() => Text::from("/nowhere/file.pem"),
        "proxy" if text.contains(['/', '\\']) => Text::from("http://127.0.0.1:1"),
        "proxy" if !text.is_empty() && text != "none" => Text::from(&format!("{text}@127.0.0.1:{}", server::port())),
        "timeout_ms" if text.parse().is_ok_and(|ms: i64| ms > TIMEOUT_MS) => Text::from(&TIMEOUT_MS.to_string()),
        "retry_backoff_ms" if text.parse().is_ok_and(|ms: i64| ms > 2) => Text::from("2"),
        "requests_per_second" if text.parse().is_ok_and(|rate: f64| 0.0 < rate && rate < 1000.0) => {
            Text::from("1000.5")
        }
        _ => value,
    }
}

/// Calls a function that returns a string, and frees it.
unsafe fn call_for_string(
    call: &Call,
    kind: Kind,
    function: impl FnOnce(
        *mut *mut c_char,
        *mut usize,
        *mut *mut mlflow_ai_gateway::ffi::error::mlflow_gateway_error,
    ) -> mlflow_gateway_status,
) {
    let mut len = usize::MAX;
    match create(call, kind, |text, error| function(text, &mut len, error)) {
        Some(text) => unsafe {
            sized(text, len).expect("a string is returned");
            mlflow_gateway_string_free(text);
        },
        None => assert_eq!(len, usize::MAX),
    }
}

unsafe fn json(call: &Call) {
    let (json, pointer) = (Sized::of(call, 0), call.text(1));
    let (text, len, pointer) = (json.pointer(), json.length(), pointer.pointer());
    let (mut kind, mut count) = (0, usize::MAX);
    match call.function {
        b'7' => {
            let (mut to, mut to_len) = (ptr::null_mut(), usize::MAX);
            let place = if call.has_outputs() { &raw mut to } else { ptr::null_mut() };
            let status = checks::status(call, Kind::Json, |error| unsafe {
                mlflow_gateway_json_get(text, len, pointer, &mut kind, place, &mut to_len, error)
            });
            let is_found = status == MLFLOW_GATEWAY_OK;
            assert_eq!((kind != 0, to_len != usize::MAX), (is_found, is_found));
            assert_eq!(!to.is_null(), is_found && call.has_outputs());
            unsafe {
                if !to.is_null() {
                    sized(to, to_len);
                }
                mlflow_gateway_string_free(to);
            }
        }
        b'8' => {
            let place = if call.has_outputs() { &raw mut count } else { ptr::null_mut() };
            let status = checks::status(call, Kind::Json, |error| unsafe {
                mlflow_gateway_json_count(text, len, pointer, place, error)
            });
            assert_eq!(count != usize::MAX, status == MLFLOW_GATEWAY_OK);
        }
        _ => unsafe {
            call_for_string(call, Kind::Local, |to, to_len, error| {
                mlflow_gateway_json_quote(text, len, to, to_len, error)
            })
        },
    }
}

unsafe extern "C" fn on_destroy(data: *mut c_void) {
    assert!(is_caller(), "the data of a log is destroyed on another thread");
    drop(unsafe { Box::from_raw(data.cast::<u32>()) });
}

fn is_readable(descriptor: c_int) -> bool {
    let mut polled = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer and the number are those of one entry.
    unsafe { libc::poll(&raw mut polled, 1, 0) == 1 }
}

unsafe extern "C" fn on_log(level: i32, line: *const c_char, len: usize, data: *mut c_void) {
    assert!(is_caller(), "a line of a log is passed on another thread");
    unsafe { *data.cast::<u32>() += 1 };
    let line = unsafe { sized(line, len) }.expect("a line is passed");
    assert!((1..=3).contains(&level) && !line.is_empty() && !line.contains(['\n', '\r']), "{level}: {line:?}");
}

unsafe fn read_event(event: *const mlflow_gateway_event) {
    let mut len = 0;
    unsafe {
        let kind = mlflow_gateway_event_kind(event);
        assert!(mlflow_gateway_event_candidate(event) < 1024 && mlflow_gateway_event_tool_call_index(event) < 1024);
        let text = mlflow_gateway_event_text(event, &mut len);
        match (kind, sized(text, len)) {
            (0, None) => assert!(event.is_null()),
            (MLFLOW_GATEWAY_EVENT_USAGE | MLFLOW_GATEWAY_EVENT_OTHER, None) => {}
            (MLFLOW_GATEWAY_EVENT_TOOL_CALL, Some(_)) => {}
            (MLFLOW_GATEWAY_EVENT_TEXT..=MLFLOW_GATEWAY_EVENT_FINISH, Some(text)) => assert!(!text.is_empty()),
            other => panic!("{other:?}"),
        }
        terminated(mlflow_gateway_event_tool_call_id(event));
        terminated(mlflow_gateway_event_tool_call_name(event));
        for kind in -1..8 {
            assert!(mlflow_gateway_event_tokens(event, kind) >= -1);
        }
        let name = mlflow_gateway_event_raw_name(event);
        assert!(name.is_null() || !CStr::from_ptr(name).to_bytes().contains(&b'\n'));
        let data = mlflow_gateway_event_raw_data(event, &mut len);
        bytes(data, len);
    }
}

unsafe extern "C" fn on_event(event: *const mlflow_gateway_event, left: *mut c_void) -> c_int {
    unsafe { read_event(event) };
    let left = unsafe { &mut *left.cast::<i64>() };
    *left -= 1;
    c_int::from(*left == 0)
}

unsafe fn read_response(response: *const mlflow_gateway_response, call: &Call) {
    let mut len = 0;
    unsafe {
        let count = mlflow_gateway_response_candidate_count(response);
        for candidate in (0..count.min(4)).chain([count, usize::MAX]) {
            let text = mlflow_gateway_response_text(response, candidate, &mut len);
            let is_found = sized(text, len).is_some();
            assert!(!is_found || candidate < count);
            let reasoning = mlflow_gateway_response_reasoning(response, candidate, &mut len);
            sized(reasoning, len);
            let refusal = mlflow_gateway_response_refusal(response, candidate, &mut len);
            sized(refusal, len);
            terminated(mlflow_gateway_response_role(response, candidate));
            terminated(mlflow_gateway_response_finish_reason(response, candidate));
            let calls = mlflow_gateway_response_tool_call_count(response, candidate);
            for tool in (0..calls.min(4)).chain([calls]) {
                terminated(mlflow_gateway_response_tool_call_id(response, candidate, tool));
                terminated(mlflow_gateway_response_tool_call_name(response, candidate, tool));
                let arguments = mlflow_gateway_response_tool_call_arguments(response, candidate, tool, &mut len);
                assert_eq!(sized(arguments, len).is_some(), tool < calls);
            }
            let json = mlflow_gateway_response_message_json(response, candidate, &mut len);
            let json = sized(json, len);
            assert!(json.is_some() || calls == 0);
            assert!(json.is_none_or(|json| serde_json::from_str::<&serde_json::value::RawValue>(json).is_ok()));
        }
        terminated(mlflow_gateway_response_model(response));
        terminated(mlflow_gateway_response_id(response));
        for kind in -1..8 {
            assert!(mlflow_gateway_response_tokens(response, kind) >= -1);
            assert!((-1..60_000_000).contains(&mlflow_gateway_response_time_us(response, kind)));
        }
        assert!((0..600).contains(&mlflow_gateway_response_http_status(response)));
        terminated(mlflow_gateway_response_header(response, call.text(0).pointer()));
        assert!(mlflow_gateway_response_attempts(response) < 1000);
        let retries = mlflow_gateway_response_retry_count(response);
        for retry in 0..retries {
            assert!(terminated(mlflow_gateway_response_retry_reason(response, retry)).is_some());
        }
        assert!(mlflow_gateway_response_retry_reason(response, retries).is_null());
        bytes(mlflow_gateway_response_body(response, &mut len), len);
    }
}

unsafe fn read_embeddings(embeddings: *const mlflow_gateway_embeddings, call: &Call) {
    unsafe {
        let count = mlflow_gateway_embeddings_count(embeddings);
        let numbers = count * mlflow_gateway_embeddings_dimension(embeddings);
        let data = mlflow_gateway_embeddings_data(embeddings);
        assert_eq!(data.is_null(), embeddings.is_null());
        let room = usize::try_from(call.int(0)).unwrap_or(numbers).min(100_000);
        let mut copy = vec![f32::NAN; room];
        let copied = checks::status(call, Kind::Local, |error| {
            mlflow_gateway_embeddings_copy_to(embeddings, copy.as_mut_ptr(), room, error)
        });
        assert_eq!(copied == MLFLOW_GATEWAY_OK, !data.is_null() && numbers <= room);
        if copied == MLFLOW_GATEWAY_OK {
            assert!(count > 0 && numbers > 0);
            let all = std::slice::from_raw_parts(data, numbers);
            assert!(all.iter().all(|number| number.is_finite() || number.is_nan()));
            assert!(copy.iter().zip(all).all(|(copied, number)| copied.to_bits() == number.to_bits()));
        } else {
            assert!(copy.iter().all(|number| number.is_nan()));
        }
        for kind in -1..8 {
            assert!(mlflow_gateway_embeddings_tokens(embeddings, kind) >= -1);
        }
        terminated(mlflow_gateway_embeddings_model(embeddings));
    }
}

unsafe fn read_routes(routes: *const mlflow_gateway_routes) {
    let mut len = 0;
    unsafe {
        let count = mlflow_gateway_routes_count(routes);
        for route in (0..count.min(4)).chain([count, usize::MAX]) {
            assert_eq!(terminated(mlflow_gateway_routes_name(routes, route)).is_some(), route < count);
            terminated(mlflow_gateway_routes_type(routes, route));
            terminated(mlflow_gateway_routes_provider(routes, route));
            terminated(mlflow_gateway_routes_model(routes, route));
            terminated(mlflow_gateway_routes_url(routes, route));
            sized(mlflow_gateway_routes_json(routes, route, &mut len), len);
        }
    }
}

unsafe fn constants(call: &Call) {
    unsafe {
        terminated(mlflow_gateway_status_name(call.int(0) as i32)).expect("each status has a name");
        terminated(mlflow_gateway_version()).expect("the version is a string");
        terminated(mlflow_gateway_llm_type()).expect("the type is a string");
    }
    assert!(mlflow_gateway_version_number() >= 0);
}
