//! The pacer with servers that limit requests in different ways.

use super::simulation::{Limit, Report, Server, Simulation};

const FIFTY_PER_SECOND: [Limit; 3] = [Limit::Fixed(50, 1.0), Limit::Sliding(50, 1.0), Limit::Bucket(50.0, 50.0)];

/// Sends `count` requests to a server, at most 64 at once. The latency is in seconds.
fn run(server: Server, latency: f64, count: usize) -> Report {
    let mut simulation = Simulation::new(vec![server], 64, latency, 1);
    simulation.submit(count);
    simulation.run()
}

#[test]
fn server_of_fifty_per_second_refuses_few_requests_and_is_used_fully() {
    for limit in FIFTY_PER_SECOND {
        for has_retry_after in [true, false] {
            for (in_flight, latency) in [(8, 0.005), (64, 0.005), (8, 0.5), (64, 0.5)] {
                let mut server = Server::new(limit, has_retry_after);
                for seed in 1..3 {
                    server.phase = seed as f64 / 2.7;
                    let mut simulation = Simulation::new(vec![server.clone()], in_flight, latency, seed);
                    simulation.submit(6000);
                    let report = simulation.run();
                    let used = report.rate() / f64::min(50.0, in_flight as f64 / (latency * 1.01));
                    let refused = report.refused_after(1.0);
                    let most = report.most_refusals;
                    let case = format!("{limit:?}, Retry-After: {has_retry_after}, {in_flight} in flight, {latency} s");
                    println!("{case}: {used:.3} used, {refused:.4} refused, at most {most} times");
                    assert!(used > 0.9 && refused < 0.02 && most <= 3, "{case}: {used} {refused} {most}");
                }
            }
        }
    }
}

#[test]
fn requests_per_second_at_the_limit_of_the_server_are_not_refused() {
    for limit in FIFTY_PER_SECOND {
        for latency in [0.005, 0.5] {
            let mut simulation = Simulation::new(vec![Server::new(limit, true)], 64, latency, 1);
            simulation.pacer.set_requests_per_second(Some(50.0));
            simulation.submit(6000);
            let report = simulation.run();
            println!("{limit:?}, {latency} s: {} refused, {:.2} per second", report.refused.len(), report.rate());
            assert!(report.refused.is_empty() && report.rate() > 49.0, "{limit:?} {latency}");
        }
    }
}

#[test]
fn route_that_refuses_does_not_slow_another() {
    let first_route_ends = |limit| {
        let servers = vec![Server::new(Limit::None, true), Server::new(limit, true)];
        let mut simulation = Simulation::new(servers, 64, 0.005, 1);
        simulation.submit(20_000);
        let report = simulation.run();
        let requests = simulation.requests.iter().filter(|request| request.route == 0);
        let ends = requests.filter_map(|request| request.accepted_at).fold(0.0, f64::max);
        (ends, report.refused.len())
    };
    let (alone, _) = first_route_ends(Limit::None);
    let (beside, refused) = first_route_ends(Limit::Fixed(20, 1.0));
    // Requests of the other route hold at most half of the places in flight.
    println!("{beside:.3} s instead of {alone:.3} s, {refused} refused");
    assert!(refused > 0 && beside < 1.1 * alone, "{alone} {beside}");
}

#[test]
fn limits_per_minute_are_learned() {
    for (per_minute, count) in [(10, 300), (100, 3000)] {
        for limit in [Limit::Fixed(per_minute, 60.0), Limit::Sliding(per_minute, 60.0)] {
            for has_retry_after in [true, false] {
                for latency in [0.005, 0.5] {
                    let mut server = Server::new(limit, has_retry_after);
                    server.phase = 13.0;
                    let report = run(server, latency, count);
                    let used = 60.0 * report.rate() / per_minute as f64;
                    let refused = report.refused_after(300.0);
                    let most = report.most_refusals;
                    let case = format!("{limit:?}, Retry-After: {has_retry_after}, {latency} s");
                    println!("{case}: {used:.3} used, {refused:.4} refused after 5 minutes, at most {most} times");
                    // Without Retry-After, each refusal is followed by several attempts.
                    let (least_used, most_refused) = if has_retry_after { (0.95, 0.02) } else { (0.75, 0.05) };
                    assert!(
                        used > least_used && refused < most_refused && most <= 3,
                        "{case}: {used} {refused} {most}"
                    );
                }
            }
        }
    }
}

#[test]
fn burst_is_not_taken_for_the_rate() {
    for has_retry_after in [true, false] {
        for latency in [0.005, 0.5] {
            let report = run(Server::new(Limit::Bucket(1000.0, 3.0), has_retry_after), latency, 2000);
            let rate = report.rate_between(60.0, 300.0);
            let refused = report.refused_after(30.0);
            let most = report.most_refusals;
            println!(
                "Retry-After: {has_retry_after}, {latency} s: {rate:.2}/s, {refused:.4} refused, at most {most} times"
            );
            assert!((2.7..3.2).contains(&rate) && refused < 0.02 && most <= 4, "{rate} {refused} {most}");
        }
    }
}

#[test]
fn outage_does_not_slow_the_route_for_good() {
    for has_retry_after in [true, false] {
        for (begins, ends, recovered) in
            [(2.0, 12.0, 40.0), (2.0, 62.0, 60.0), (100.0, 160.0, 40.0), (1.0, 601.0, 300.0)]
        {
            let mut server = Server::new(Limit::Fixed(50, 1.0), has_retry_after);
            server.outage = (begins, ends);
            let report = run(server, 0.05, 20_000);
            let rate = report.rate_between(ends + recovered, ends + recovered + 20.0);
            println!("Retry-After: {has_retry_after}, {begins} to {ends} s: {rate}/s after {recovered} s");
            assert!(rate > 40.0, "{has_retry_after} {begins} {ends}: {rate}");
        }
    }
}

#[test]
fn changed_limit_is_found() {
    for has_retry_after in [true, false] {
        for (later, seconds) in [(5, 10.0), (25, 20.0), (100, 120.0)] {
            let mut server = Server::new(Limit::Fixed(50, 1.0), has_retry_after);
            server.later = Some((60.0, Limit::Fixed(later, 1.0)));
            let report = run(server, 0.05, 15_000);
            let rate = report.rate_between(60.0 + seconds, 90.0 + seconds);
            println!("Retry-After: {has_retry_after}: {rate:.1}/s of {later}/s after {seconds} s");
            let least = if later > 50 { 0.65 } else { 0.85 };
            assert!(rate > least * later as f64, "{has_retry_after} {later}: {rate}");
            assert!(report.refused_after(1.0) < 0.02 && report.most_refusals <= 3);
        }
    }
}
