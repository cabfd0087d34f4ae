//! Vectors of any number of texts, in as many requests as that takes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::call::{Call, Operation};
use super::error::{Error, Status};
use super::nul_string::NulString;
use super::report;
use crate::dialect::{Content, EmbeddingArray, Usage};
use crate::sync::{self, Lock};

/// Embeddings, one for each input and in the order of the inputs.
#[derive(Debug)]
pub struct Embeddings {
    vectors: EmbeddingArray,
    usage: Usage,
    model: Option<NulString>,
}

/// What came of one request.
#[derive(Debug, Default)]
struct Batch {
    vectors: EmbeddingArray,
    usage: Usage,
    model: Option<NulString>,
}

impl Embeddings {
    pub(super) fn ask(call: &Call, question: Content) -> Result<Embeddings, Error> {
        let Content::Inputs(inputs) = question else {
            let mut whole = Batch::default();
            ask(call, question, None, &mut whole)?;
            return Ok(whole.into());
        };
        let batches: Vec<_> = inputs.chunks(call.options.embed_batch_size).collect();
        let workers = call.options.embed_concurrency.min(batches.len());
        if workers > 1 { side_by_side(call, &batches, workers) } else { one_by_one(call, &batches, inputs.len()) }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.vectors.count
    }

    /// How many numbers each has.
    pub fn dimension(&self) -> usize {
        self.vectors.dimension
    }

    /// All numbers, one vector behind the other.
    pub fn data(&self) -> &[f32] {
        &self.vectors.data
    }

    /// How many tokens all inputs took, as the gateway reports.
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// The model, as the gateway names it.
    pub fn model(&self) -> Option<&NulString> {
        self.model.as_ref()
    }
}

impl From<Batch> for Embeddings {
    fn from(batch: Batch) -> Embeddings {
        Embeddings { vectors: batch.vectors, usage: batch.usage, model: batch.model }
    }
}

/// All into the same block.
fn one_by_one(call: &Call, batches: &[&[String]], count: usize) -> Result<Embeddings, Error> {
    let mut all = Batch::default();
    let mut usage: Option<Usage> = None;
    for (number, batch) in batches.iter().enumerate() {
        ask(call, Content::Inputs(batch), Some(batch.len()), &mut all)?;
        usage = Some(usage.map_or(all.usage, |usage| usage.sum(&all.usage)));
        if number == 0 {
            reserve(&mut all.vectors, count)?;
        }
    }
    Ok(Embeddings { usage: usage.unwrap_or_default(), ..all.into() })
}

/// Each into its own block, since they end in any order.
fn side_by_side(call: &Call, batches: &[&[String]], workers: usize) -> Result<Embeddings, Error> {
    let (next, has_failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done = Lock::new(Vec::with_capacity(batches.len()));
    sync::run_in_parallel(workers, &|| {
        while !has_failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(inputs) = batches.get(number) else { break };
            let mut batch = Batch::default();
            let asked = ask(call, Content::Inputs(inputs), Some(inputs.len()), &mut batch);
            has_failed.fetch_or(asked.is_err(), Ordering::Relaxed);
            done.lock().push((number, asked.map(|()| batch)));
        }
    });
    call.logger.flush();
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
            reserve(&mut all.vectors, count)?;
        } else if batch.vectors.dimension == all.vectors.dimension {
            all.vectors.data.extend_from_slice(&batch.vectors.data);
            all.vectors.count += batch.vectors.count;
        } else {
            return Err(Error::new(
                Status::BadResponse,
                format!(
                    "the gateway gave vectors of {} numbers to some inputs, and of {} to others",
                    all.vectors.dimension, batch.vectors.dimension
                ),
            ));
        }
    }
    Ok(Embeddings { usage: usage.unwrap_or_default(), ..all.into() })
}

/// Room for all vectors, after the first of them are there.
fn reserve(vectors: &mut EmbeddingArray, count: usize) -> Result<(), Error> {
    let more = (count - vectors.count).saturating_mul(vectors.dimension);
    vectors.data.try_reserve_exact(more).map_err(|_| {
        let dimension = vectors.dimension;
        Error::new(Status::OutOfMemory, format!("there is no memory for {count} vectors of {dimension} numbers"))
    })
}

/// Asks once, and adds the vectors to the batch.
fn ask(call: &Call, question: Content, expected: Option<usize>, to: &mut Batch) -> Result<(), Error> {
    let asked = call.ask(question, Operation::Embeddings)?;
    let (body, before) = (&asked.answer.body, to.vectors.count);
    let vectors = &mut to.vectors;
    let answer = call
        .understand(&asked, |dialect| dialect.decode_embeddings(body, expected.unwrap_or(1), vectors))
        .map_err(|malformed| report::malformed(&call.asked(&asked), (&asked.answer).into(), malformed))
        .map_err(|error| error.with_attempts(&asked.attempts))?;
    let came = to.vectors.count - before;
    if expected.is_some_and(|expected| came != expected) {
        let tried = call.asked(&asked);
        let error = report::wrong_count(&tried, (&asked.answer).into(), expected.unwrap_or_default(), came);
        return Err(error.with_attempts(&asked.attempts));
    }
    to.usage = answer.usage;
    if to.model.is_none() {
        to.model = answer.model.map(|model| NulString::of_name(&model)).transpose()?;
    }
    Ok(())
}
