//! The adaptive limit, compared with the best fixed limit on simulated servers.

use std::time::Duration;

use super::simulation::{Batch, Limit, Random, Run, Server, Variation, best_seconds, run};
use super::*;

const SEEDS: u64 = 12;
const VARIATIONS: [Variation; 3] = [Variation::Fixed, Variation::FiveFold, Variation::Lognormal(0.6)];

/// The results of a batch, with each variation of the latency.
struct Results {
    name: &'static str,
    variation: Variation,
    /// The mean over all seeds of the throughput, in parts of that with the best fixed limit.
    throughput: f64,
    /// The largest over all seeds of the part of the requests that was refused.
    refused: f64,
    max_limit: usize,
    mean_limit: f64,
}

fn results(name: &'static str, requests: usize, before: Server, after: Server) -> Vec<Results> {
    let with_variation = |variation| {
        let batches = (0..SEEDS).map(|seed| Batch { requests, before, after, variation, seed });
        let runs: Vec<(f64, Run)> =
            batches.map(|batch| (best_seconds(batch), run(batch, Limit::Adaptive(Adaptive::new(4096))))).collect();
        let results = Results {
            name,
            variation,
            throughput: runs.iter().map(|(best, run)| best / run.seconds).sum::<f64>() / SEEDS as f64,
            refused: runs.iter().map(|(_, run)| run.refused as f64 / requests as f64).fold(0.0, f64::max),
            max_limit: runs.iter().map(|(_, run)| run.max_limit).max().unwrap(),
            mean_limit: runs.iter().map(|(_, run)| run.mean_limit).sum::<f64>() / SEEDS as f64,
        };
        let Results { throughput, refused, max_limit, mean_limit, .. } = results;
        println!(
            "{name:24} {variation:?}: throughput {throughput:.3}, refused {refused:.4}, \
             limit at most {max_limit}, mean {mean_limit:.0}"
        );
        results
    };
    VARIATIONS.map(with_variation).into()
}

/// `capacity` is the largest number of requests that the server serves at once.
fn check(all: Vec<Results>, capacity: usize) {
    for results in all {
        let Results { name, variation, throughput, refused, max_limit, mean_limit } = results;
        assert!(throughput >= 0.9, "{name}, {variation:?}: the throughput is {throughput} of the best");
        assert!(refused <= 0.04, "{name}, {variation:?}: {refused} of the requests are refused");
        // The start doubles the limit. With latencies that vary much, it ends a window later.
        let slack = if matches!(variation, Variation::Lognormal(_)) { 40 } else { 20 };
        assert!(max_limit <= 3 * capacity + slack, "{name}, {variation:?}: the limit has grown to {max_limit}");
        let most = (2 * capacity + 20) as f64;
        assert!(mean_limit <= most, "{name}, {variation:?}: the mean of the limit is {mean_limit}");
    }
}

/// A server that refuses requests.
fn refusing(capacity: usize, queue: usize) -> Server {
    Server { queue, ..Server::new(capacity) }
}

#[test]
fn throughput_is_that_of_the_best_fixed_limit() {
    for (name, requests, capacity) in
        [("1 at once", 2000, 1), ("2 at once", 2000, 2), ("16 at once", 2000, 16), ("100 at once", 5000, 100)]
    {
        let server = Server::new(capacity);
        check(results(name, requests, server, server), capacity);
    }
}

#[test]
fn few_requests_are_refused_by_a_server_with_a_short_queue() {
    for (name, requests, capacity, queue) in [
        ("2 at once, 2 wait", 2000, 2, 2),
        ("16 at once, 4 wait", 2000, 16, 4),
        ("100 at once, 10 wait", 5000, 100, 10),
    ] {
        let server = refusing(capacity, queue);
        check(results(name, requests, server, server), capacity);
    }
}

#[test]
fn limit_follows_the_capacity() {
    check(results("100, then 16 at once", 5000, Server::new(100), Server::new(16)), 100);
    check(results("16, then 100 at once", 5000, Server::new(16), Server::new(100)), 100);
    check(results("100 + 10, then 16 + 4", 5000, refusing(100, 10), refusing(16, 4)), 100);
    check(results("16 + 4, then 100 + 10", 5000, refusing(16, 4), refusing(100, 10)), 100);
}

#[test]
fn limit_stays_if_the_server_becomes_slower() {
    for (name, requests, capacity) in
        [("2 at once, slower", 2000, 2), ("16 at once, slower", 5000, 16), ("100 at once, slower", 5000, 100)]
    {
        let server = Server::new(capacity);
        check(results(name, requests, server, Server { latency: 2.0, ..server }), capacity);
    }
}

#[test]
fn requests_refused_at_random_do_not_collapse_the_limit() {
    for (name, requests, capacity) in [("16 at once, 1 % refused", 2000, 16), ("100 at once, 1 % refused", 5000, 100)] {
        let server = Server { random_refusals: 0.01, ..Server::new(capacity) };
        check(results(name, requests, server, server), capacity);
    }
}

#[test]
fn server_that_batches_requests_gets_many() {
    let server = Server { slowdown: 0.005, ..Server::new(256) };
    for results in results("batches", 5000, server, server) {
        assert!(results.throughput >= 0.75, "{:?}: the throughput is {}", results.variation, results.throughput);
        assert!(results.mean_limit >= 64.0, "{:?}: the mean of the limit is {}", results.variation, results.mean_limit);
    }
}

/// Notes that requests ended one second after they started, all at the same time.
fn note_all(adaptive: &mut Adaptive, started: Instant, count: usize, outcome: Outcome) {
    let ended = started + Duration::from_secs(1);
    for in_flight in (1..=count).rev() {
        adaptive.note(Sample { started, ended, in_flight, outcome });
    }
}

/// An adaptive limit of at least 100 after some round trips without a queue, and the time.
fn grown(origin: Instant) -> (Adaptive, Instant) {
    let mut adaptive = Adaptive::new(4096);
    let mut now = origin;
    while adaptive.limit() < 100 {
        let limit = adaptive.limit();
        note_all(&mut adaptive, now, limit, Outcome::Served);
        now += Duration::from_secs(1);
    }
    (adaptive, now)
}

#[test]
fn limit_stays_between_1_and_the_maximum() {
    let origin = Instant::now();
    let mut random = Random(16);
    for max in [0, 1, 2, 3, 16, 4096] {
        let mut adaptive = Adaptive::new(max);
        let mut most = max.max(1);
        let mut now = origin;
        for step in 0..20_000 {
            if step % 1000 == 999 {
                most = 1 + (random.uniform() * 50.0) as usize;
                adaptive.set_max(most);
            }
            let started = now;
            now += Duration::from_secs_f64(random.uniform() * random.uniform());
            let in_flight = (random.uniform() * 1.2 * adaptive.limit() as f64) as usize;
            let outcome = match (random.uniform() * 40.0) as u32 {
                0 => Outcome::TimedOut,
                1 | 2 => Outcome::Refused,
                _ => Outcome::Served,
            };
            adaptive.note(Sample { started, ended: now, in_flight, outcome });
            let limit = adaptive.limit();
            assert!((1..=most).contains(&limit), "the limit is {limit} of at most {most}");
        }
    }
}

#[test]
fn limit_does_not_grow_while_the_program_sends_few_requests() {
    let mut adaptive = Adaptive::new(4096);
    let limit = adaptive.limit();
    let mut now = Instant::now();
    for _ in 0..1000 {
        note_all(&mut adaptive, now, 3, Outcome::Served);
        now += Duration::from_secs(1);
    }
    assert_eq!(adaptive.limit(), limit);
}

#[test]
fn window_ends_although_few_requests_run() {
    let (mut adaptive, now) = grown(Instant::now());
    adaptive.enter_steady();
    adaptive.window.restart(0, now);
    note_all(&mut adaptive, now, MIN_WINDOW / 2, Outcome::Served);
    assert_eq!(adaptive.windows_since_probe, 0);
    note_all(&mut adaptive, now, MIN_WINDOW / 2, Outcome::Served);
    assert_eq!(adaptive.windows_since_probe, 1);
}

#[test]
fn overloads_of_one_round_trip_reduce_the_limit_once() {
    let (mut adaptive, now) = grown(Instant::now());
    let before = adaptive.limit();
    note_all(&mut adaptive, now, before, Outcome::TimedOut);
    let after = adaptive.limit();
    assert_eq!(after, (before as f64 * BACKOFF) as usize);

    // Every request that was refused shows that the server accepts fewer, down to half of the limit.
    let now = now + Duration::from_secs(1);
    note_all(&mut adaptive, now, after, Outcome::Refused);
    assert_eq!(adaptive.limit(), (before as f64 * BACKOFF * MAX_BACKOFF) as usize);
}

#[test]
fn few_overloads_do_not_reduce_the_limit() {
    let (mut adaptive, now) = grown(Instant::now());
    let limit = adaptive.limit();
    note_all(&mut adaptive, now, 2, Outcome::Refused);
    assert_eq!(adaptive.limit(), limit);
    note_all(&mut adaptive, now, 1, Outcome::TimedOut);
    assert_eq!(adaptive.limit(), (limit as f64 * BACKOFF) as usize);
}
