//! Embeddings of any number of inputs, in several requests if necessary.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::call::Call;
use super::error::{Error, Status};
use super::nul_string::NulString;
use super::plan::Operation;
use super::report;
use crate::dialect::{Content, Dialect, EmbeddingArray, Usage};
use crate::sync::{self, Lock};

/// Embeddings, one for each input and in the order of the inputs.
#[derive(Debug)]
pub struct Embeddings {
    array: EmbeddingArray,
    usage: Usage,
    model: Option<NulString>,
}

/// The embeddings of one request, or of several in their order.
#[derive(Debug, Default)]
struct Batch {
    array: EmbeddingArray,
    usage: Usage,
    model: Option<NulString>,
}

impl Embeddings {
    pub(super) fn request(call: &Call, content: Content) -> Result<Embeddings, Error> {
        let Content::Inputs(inputs) = content else {
            let mut batch = Batch::default();
            request_batch(call, content, None, &mut batch)?;
            return Ok(batch.into());
        };
        let options = &call.context.options;
        let batches: Vec<_> = inputs.chunks(options.embed_batch_size).collect();
        let workers = options.embed_concurrency.min(batches.len());
        if workers > 1 {
            request_concurrently(call, &batches, workers)
        } else {
            request_sequentially(call, &batches, inputs.len())
        }
    }

    /// Returns the number of embeddings.
    pub fn count(&self) -> usize {
        self.array.count
    }

    /// Returns the number of floats in each.
    pub fn dimension(&self) -> usize {
        self.array.dimension
    }

    /// Returns the floats of all embeddings, one embedding after another.
    pub fn data(&self) -> &[f32] {
        &self.array.data
    }

    /// Returns the token counts of all inputs together, as reported by the gateway.
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Returns the name of the model, as reported by the gateway.
    pub fn model(&self) -> Option<&NulString> {
        self.model.as_ref()
    }
}

impl From<Batch> for Embeddings {
    fn from(batch: Batch) -> Embeddings {
        Embeddings { array: batch.array, usage: batch.usage, model: batch.model }
    }
}

/// All batches share one array.
fn request_sequentially(call: &Call, batches: &[&[String]], count: usize) -> Result<Embeddings, Error> {
    let mut all = Batch::default();
    let mut usage: Option<Usage> = None;
    for (number, batch) in batches.iter().enumerate() {
        request_batch(call, Content::Inputs(batch), Some(batch.len()), &mut all)?;
        usage = Some(usage.map_or(all.usage, |usage| usage.sum(&all.usage)));
        if number == 0 {
            reserve(&mut all.array, count)?;
        }
    }
    Ok(Embeddings { usage: usage.unwrap_or_default(), ..all.into() })
}

/// Each batch has its own array, because they end in any order.
fn request_concurrently(call: &Call, batches: &[&[String]], workers: usize) -> Result<Embeddings, Error> {
    let (next, has_failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done = Lock::new(Vec::with_capacity(batches.len()));
    sync::run_in_parallel(workers, &|| {
        while !has_failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(inputs) = batches.get(number) else { break };
            let mut batch = Batch::default();
            let result = request_batch(call, Content::Inputs(inputs), Some(inputs.len()), &mut batch);
            has_failed.fetch_or(result.is_err(), Ordering::Relaxed);
            done.lock().push((number, result.map(|()| batch)));
        }
    });
    call.context.logger.flush();
    let mut done = std::mem::take(&mut *done.lock());
    done.sort_unstable_by_key(|(number, _)| *number);
    let mut all = Batch::default();
    let mut usage: Option<Usage> = None;
    let count = batches.iter().map(|inputs| inputs.len()).sum();
    for (number, batch) in done {
        let batch = batch?;
        usage = Some(usage.map_or(batch.usage, |usage| usage.sum(&batch.usage)));
        if number == 0 {
            all = batch;
            reserve(&mut all.array, count)?;
        } else if batch.array.dimension == all.array.dimension {
            all.array.data.extend_from_slice(&batch.array.data);
            all.array.count += batch.array.count;
        } else {
            return Err(Error::new(
                Status::BadResponse,
                format!(
                    "the embeddings of some inputs have {} floats, those of others {}",
                    all.array.dimension, batch.array.dimension
                ),
            ));
        }
    }
    Ok(Embeddings { usage: usage.unwrap_or_default(), ..all.into() })
}

/// Reserves memory for all embeddings once the dimension is known.
fn reserve(array: &mut EmbeddingArray, count: usize) -> Result<(), Error> {
    let more = (count - array.count).saturating_mul(array.dimension);
    array.data.try_reserve_exact(more).map_err(|_| {
        let dimension = array.dimension;
        Error::new(Status::OutOfMemory, format!("not enough memory for {count} embeddings of {dimension} floats"))
    })
}

/// Sends one request and adds the embeddings to the batch.
fn request_batch(call: &Call, content: Content, expected: Option<usize>, batch: &mut Batch) -> Result<(), Error> {
    let (response, request) = call.send(content, Operation::Embeddings)?;
    let reply = call.read(&request, response)?;
    let (count_before, array) = (batch.array.count, &mut batch.array);
    let decode = |dialect: &'static dyn Dialect| dialect.decode_embeddings(&reply.body, expected.unwrap_or(1), array);
    let decoded = call.decode(&request, &reply, decode)?;
    let count = batch.array.count - count_before;
    if let Some(expected) = expected.filter(|expected| *expected != count) {
        let error = report::wrong_count(&call.error_context(&request), (&reply).into(), expected, count);
        return Err(error.with_attempts(&request.attempts));
    }
    batch.usage = decoded.usage;
    if batch.model.is_none() {
        batch.model = decoded.model.map(|model| NulString::of_name(&model)).transpose()?;
    }
    Ok(())
}
