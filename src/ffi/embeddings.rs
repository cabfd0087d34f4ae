//! The embeddings object.

use std::ffi::c_char;
use std::ptr;

use super::error::mlflow_gateway_error;
use super::export::export;
use super::gateway::mlflow_gateway;
use super::handle;
use super::request::{asking, mlflow_gateway_request};
use super::status::mlflow_gateway_status;
use super::text::{self, lend};
use super::usage::tokens;
use crate::client::{Embeddings, Error, Status};

/// Vectors. They never change, so that any number of threads may read them.
pub struct mlflow_gateway_embeddings(Embeddings);

/// Asks a route for embeddings (llm/v1/embeddings) for the vectors of a request's inputs, however many they are:
/// they are sent in requests of embed_batch_size inputs each, of which embed_concurrency are under way at once.
/// Where one request fails, all fails, once those that are under way have ended. The option timeout_ms covers all of
/// it.
///
/// `request` holds inputs, or a whole body, which is sent as one request and may get any number of vectors. What
/// differs between questions and documents (Cohere's "input_type") is a parameter of the request: use one request
/// for each.
/// `embeddings` receives the vectors; the caller destroys them with mlflow_gateway_embeddings_destroy().
///
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _UNSUPPORTED (a route that is not for this), or any status from 20
/// to 99; _BAD_RESPONSE also if another number of vectors came than of inputs was sent, or vectors of different
/// lengths.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_embed(
    gateway: *mut mlflow_gateway,
    request: *const mlflow_gateway_request,
    embeddings: *mut *mut mlflow_gateway_embeddings,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let asked = unsafe { asking(gateway, request, embeddings, "embeddings")? };
        let embeddings = asked.gateway.gateway().embed(asked.request.request())?;
        asked.place.write(handle::give(mlflow_gateway_embeddings(embeddings)));
        Ok(())
    })
}

/// Returns how many vectors there are, one for each input; 0 if `embeddings` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_embeddings_count(embeddings: *const mlflow_gateway_embeddings) -> usize {
    export!(or 0, {
        // SAFETY: the caller passes NULL or embeddings that were not destroyed.
        unsafe { embeddings.as_ref() }.map_or(0, |embeddings| embeddings.0.count())
    })
}

/// Returns how many numbers each vector has; 0 if `embeddings` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_embeddings_dimension(embeddings: *const mlflow_gateway_embeddings) -> usize {
    export!(or 0, {
        // SAFETY: the caller passes NULL or embeddings that were not destroyed.
        unsafe { embeddings.as_ref() }.map_or(0, |embeddings| embeddings.0.dimension())
    })
}

/// Returns all numbers in one block, vector behind vector in the order of the inputs: number `j` of vector `i` is at
/// `i * dimension + j`. The block belongs to the embeddings and lives as long. NULL if `embeddings` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_embeddings_data(embeddings: *const mlflow_gateway_embeddings) -> *const f32 {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or embeddings that were not destroyed.
        unsafe { embeddings.as_ref() }.map_or(ptr::null(), |embeddings| embeddings.0.data().as_ptr())
    })
}

/// Copies all numbers into a block of the caller's, in the same order.
///
/// `to` is the block, and `room` the number of floats that it has room for: at least count times dimension.
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_embeddings_copy_to(
    embeddings: *const mlflow_gateway_embeddings,
    to: *mut f32,
    room: usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let embeddings = unsafe { handle::hold(embeddings, "embeddings")? };
        if to.is_null() {
            return Err(handle::null("to"));
        }
        let data = embeddings.0.data();
        if room < data.len() {
            return Err(Error::new(
                Status::InvalidArgument,
                format!("there is room for {room} floats, and {} are to be copied", data.len()),
            ));
        }
        // SAFETY: the caller's block has that much room, and is not the one inside the embeddings.
        unsafe { ptr::copy_nonoverlapping(data.as_ptr(), to, data.len()) };
        Ok(())
    })
}

/// Return how many tokens of a kind MLFLOW_GATEWAY_TOKENS_... all inputs took together; -1 if the gateway does not
/// report them for each request that was sent, or if `embeddings` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_embeddings_tokens(
    embeddings: *const mlflow_gateway_embeddings,
    kind: i32,
) -> i64 {
    export!(or - 1, {
        // SAFETY: the caller passes NULL or embeddings that were not destroyed.
        text::count(unsafe { embeddings.as_ref() }.and_then(|embeddings| tokens(embeddings.0.usage(), kind)))
    })
}

/// Returns the name of the model that made the vectors; NULL if the gateway does not say. The text belongs to the
/// embeddings and lives as long.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_embeddings_model(
    embeddings: *const mlflow_gateway_embeddings,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or embeddings that were not destroyed.
        unsafe { lend(embeddings.as_ref().and_then(|embeddings| embeddings.0.model()), ptr::null_mut()) }
    })
}

/// Destroys the embeddings and their block of numbers. NULL is allowed and does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_embeddings_destroy(embeddings: *mut mlflow_gateway_embeddings) {
    export!(or(), {
        // SAFETY: the caller passes NULL or embeddings that were not destroyed.
        unsafe { handle::end(embeddings) }
    })
}
