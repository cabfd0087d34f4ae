//! One request in flight: how it is cancelled, and how many of its events the program has not destroyed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::owned_event::OwnedEvent;
use crate::sync::CancelToken;

/// The size of the events of one stream that may exist at the same time.
const MAX_WINDOW_BYTES: usize = 256 * 1024;

/// One request in flight. Its events keep it after its end.
#[derive(Debug)]
pub(super) struct Ticket {
    pub tag: u64,
    /// The token of the thread that sends the request. It also wakes that thread when an event is destroyed.
    pub token: Arc<CancelToken>,
    /// The place in the list of running requests. Used under the queue's lock, as `is_cancelled`.
    place: AtomicUsize,
    is_cancelled: AtomicBool,
    /// The number and the size of the events that exist.
    events: AtomicUsize,
    bytes: AtomicUsize,
    /// Changes when a thread that waits for the rates is to ask again.
    asks: AtomicUsize,
    /// Whether the thread waits until events are destroyed.
    is_blocked: AtomicBool,
}

impl Ticket {
    pub fn new(tag: u64, token: Arc<CancelToken>) -> Ticket {
        Ticket {
            tag,
            token,
            place: AtomicUsize::new(0),
            is_cancelled: AtomicBool::new(false),
            events: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            asks: AtomicUsize::new(0),
            is_blocked: AtomicBool::new(false),
        }
    }

    pub fn place(&self) -> usize {
        self.place.load(Ordering::Relaxed)
    }

    pub fn set_place(&self, place: usize) {
        self.place.store(place, Ordering::Relaxed);
    }

    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
        self.token.cancel_receiving();
    }

    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    pub fn asks(&self) -> usize {
        self.asks.load(Ordering::SeqCst)
    }

    /// Wakes a thread that waits for the rates.
    pub fn ask_again(&self) {
        self.asks.fetch_add(1, Ordering::SeqCst);
        self.token.wake();
    }

    /// Returns whether another event may be read. If not, the thread is woken when there is room.
    pub fn has_room(&self, max_events: usize) -> bool {
        let has_room =
            || self.events.load(Ordering::SeqCst) < max_events && self.bytes.load(Ordering::SeqCst) < MAX_WINDOW_BYTES;
        if has_room() {
            return true;
        }
        self.is_blocked.store(true, Ordering::SeqCst);
        // An event may have been destroyed before the store.
        has_room()
    }
}

/// The place of an event in the window of its stream, which dropping it frees.
#[derive(Debug)]
pub(super) struct Permit {
    pub ticket: Arc<Ticket>,
    bytes: usize,
}

impl Permit {
    pub fn new(ticket: &Arc<Ticket>, event: &OwnedEvent) -> Permit {
        let bytes = event.size();
        ticket.events.fetch_add(1, Ordering::SeqCst);
        ticket.bytes.fetch_add(bytes, Ordering::SeqCst);
        Permit { ticket: Arc::clone(ticket), bytes }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.ticket.events.fetch_sub(1, Ordering::SeqCst);
        self.ticket.bytes.fetch_sub(self.bytes, Ordering::SeqCst);
        if self.ticket.is_blocked.load(Ordering::SeqCst) && self.ticket.is_blocked.swap(false, Ordering::SeqCst) {
            self.ticket.token.wake();
        }
    }
}
