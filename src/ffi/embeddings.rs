//! The embeddings object.

use std::ffi::c_char;
use std::ptr;

use super::error::mlflow_gateway_error;
use super::export_status::export_status;
use super::export_value::export_value;
use super::gateway::mlflow_gateway;
use super::handle;
use super::request::mlflow_gateway_request;
use super::send::call_arguments;
use super::status::mlflow_gateway_status;
use super::string::borrow;
use super::usage::tokens;
use crate::client::{Embeddings, Error, Status};

/// Embeddings. Immutable.
pub struct mlflow_gateway_embeddings(Embeddings);

/// Creates an embeddings object, which C destroys by mlflow_gateway_embeddings_destroy().
pub(super) fn create(embeddings: Embeddings) -> *mut mlflow_gateway_embeddings {
    handle::create(mlflow_gateway_embeddings(embeddings))
}

/// Create embeddings of all inputs of a request, in batches of embed_batch_size, of which embed_concurrency run at
/// the same time. If one batch fails, the call fails. The option timeout_ms limits all of it.
///
/// `request` has inputs, or a body, which is sent as one batch.
/// `embeddings` receives the embeddings. The caller owns them.
///
/// Fails with _BAD_RESPONSE if the number of embeddings differs from the number of inputs, or if their dimensions
/// differ.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_embed(
    gateway: *mut mlflow_gateway,
    request: *const mlflow_gateway_request,
    embeddings: *mut *mut mlflow_gateway_embeddings,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let call = unsafe { call_arguments(gateway, request, embeddings, "embeddings")? };
        let embeddings = call.gateway.gateway().embed(call.request.request())?;
        call.output.write(create(embeddings));
        Ok(())
    })
}

/// Return the number of embeddings, one for each input.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_embeddings_count(embeddings: *const mlflow_gateway_embeddings) -> usize {
    export_value!(0, {
        // SAFETY: the caller passes NULL or embeddings that were not destroyed.
        unsafe { embeddings.as_ref() }.map_or(0, |embeddings| embeddings.0.count())
    })
}

/// Return the number of floats of each embedding.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_embeddings_dimension(embeddings: *const mlflow_gateway_embeddings) -> usize {
    export_value!(0, {
        // SAFETY: the caller passes NULL or embeddings that were not destroyed.
        unsafe { embeddings.as_ref() }.map_or(0, |embeddings| embeddings.0.dimension())
    })
}

/// Return all floats, contiguous, in input order: float `j` of embedding `i` is at `i * dimension + j`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_embeddings_data(embeddings: *const mlflow_gateway_embeddings) -> *const f32 {
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or embeddings that were not destroyed.
        unsafe { embeddings.as_ref() }.map_or(ptr::null(), |embeddings| embeddings.0.data().as_ptr())
    })
}

/// Copy all floats.
///
/// `to` is an array of `room` floats, at least count times dimension.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_embeddings_copy_to(
    embeddings: *const mlflow_gateway_embeddings,
    to: *mut f32,
    room: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let embeddings = unsafe { handle::retain(embeddings, "embeddings")? };
        if to.is_null() {
            return Err(handle::null_argument("to"));
        }
        let data = embeddings.0.data();
        if room < data.len() {
            return Err(Error::new(
                Status::InvalidArgument,
                format!("the argument room is {room}, but the embeddings have {} floats", data.len()),
            ));
        }
        // SAFETY: the caller's array has room for that many floats, and does not overlap the embeddings.
        unsafe { ptr::copy_nonoverlapping(data.as_ptr(), to, data.len()) };
        Ok(())
    })
}

/// Return a token count, -1 if not reported. Like mlflow_gateway_response_tokens().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_embeddings_tokens(
    embeddings: *const mlflow_gateway_embeddings,
    kind: i32,
) -> i64 {
    export_value!(-1, {
        // SAFETY: the caller passes NULL or embeddings that were not destroyed.
        tokens(unsafe { embeddings.as_ref() }.map(|embeddings| embeddings.0.usage()), kind)
    })
}

/// Return the name of the model, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_embeddings_model(
    embeddings: *const mlflow_gateway_embeddings,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or embeddings that were not destroyed.
        unsafe { borrow(embeddings.as_ref().and_then(|embeddings| embeddings.0.model()), ptr::null_mut()) }
    })
}

/// Destroy embeddings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_embeddings_destroy(embeddings: *mut mlflow_gateway_embeddings) {
    export_value!((), {
        // SAFETY: the caller passes NULL or embeddings that were not destroyed.
        unsafe { handle::destroy(embeddings) }
    })
}
