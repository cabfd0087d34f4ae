//! A local gateway that sends the scripted responses, whatever the requests.
//!
//! Its thread does not allocate while it runs: the fuzzer reports memory that is allocated during an input, and not
//! freed, as a leak.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::{ptr, thread};

use mlflow_ai_gateway::ffi::cancel::{mlflow_gateway_cancel, mlflow_gateway_cancel_token};

/// The maximum number of connections, and length of a request. The library never needs as much.
const MAX_CONNECTIONS: usize = 100;
const MAX_REQUEST_BYTES: usize = 128 * 1024;

pub struct ScriptedResponse {
    pub bytes: Vec<u8>,
    /// Whether the connection stays open.
    pub keeps_open: bool,
    /// Whether the token is cancelled when the request has arrived.
    pub cancels: bool,
}

struct Script {
    responses: Vec<ScriptedResponse>,
    sent: usize,
    token: Token,
}

/// A token that is not destroyed, or NULL.
struct Token(*mut mlflow_gateway_cancel_token);

// SAFETY: a token may be used by any thread.
unsafe impl Send for Token {}

static SCRIPT: Mutex<Script> = Mutex::new(Script { responses: Vec::new(), sent: 0, token: Token(ptr::null_mut()) });

const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 22\r\n\r\n{\"detail\":\"Not Found\"}";

/// Sets the responses to the next requests. Further requests get status 404.
pub fn set_responses(responses: Vec<ScriptedResponse>) {
    let mut script = script();
    script.responses = responses;
    script.sent = 0;
}

/// Sets the token that responses cancel, or NULL. It must be reset before the token is destroyed.
pub fn set_token(token: *mut mlflow_gateway_cancel_token) {
    script().token = Token(token);
}

/// Returns the port of the server, and starts it at the first call.
pub fn port() -> u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    *PORT.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        listener.set_nonblocking(true).expect("a listener can be non-blocking");
        stay_on_one_processor();
        let port = listener.local_addr().expect("a listener has a port").port();
        thread::spawn(move || run(&listener));
        // Waits until its buffers are allocated, so that no call has to.
        let mut first = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        first
            .write_all(b"GET / HTTP/1.1\r\n\r\n")
            .and_then(|()| first.read_exact(&mut [0]))
            .expect("the server responds");
        port
    })
}

/// Pins the process to one processor. The fuzzer and the server wait for each other, and waking a thread on another
/// processor takes an interrupt.
fn stay_on_one_processor() {
    // SAFETY: the set is a plain value of the size passed.
    unsafe {
        let mut processors: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(libc::sched_getcpu().max(0) as usize, &mut processors);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const processors);
    }
}

fn script() -> MutexGuard<'static, Script> {
    SCRIPT.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Connection {
    stream: TcpStream,
    received: usize,
}

fn run(listener: &TcpListener) -> ! {
    let mut connections: Vec<Connection> = Vec::with_capacity(MAX_CONNECTIONS);
    let mut buffers: Vec<Vec<u8>> = vec![vec![0; MAX_REQUEST_BYTES]; MAX_CONNECTIONS];
    let mut polled: Vec<libc::pollfd> = Vec::with_capacity(MAX_CONNECTIONS + 1);
    loop {
        polled.clear();
        let sockets = connections.iter().map(|connection| connection.stream.as_raw_fd());
        polled.extend(std::iter::once(listener.as_raw_fd()).chain(sockets).map(|fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        }));
        // SAFETY: the pointer and the length are those of the list.
        unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, -1) };
        for place in (0..connections.len()).rev() {
            let is_closed = polled[place + 1].revents != 0 && !serve(&mut connections[place], &mut buffers[place]);
            if is_closed {
                // The buffers keep the order of the connections.
                let last = connections.len() - 1;
                buffers.swap(place, last);
                connections.swap_remove(place);
            }
        }
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(true).expect("a socket can be non-blocking");
            stream.set_nodelay(true).expect("a socket can have TCP_NODELAY");
            assert!(connections.len() < MAX_CONNECTIONS, "the library leaves connections open");
            connections.push(Connection { stream, received: 0 });
        }
    }
}

/// Reads, and responds to a complete request. Returns whether the connection stays open.
fn serve(connection: &mut Connection, buffer: &mut [u8]) -> bool {
    loop {
        match connection.stream.read(&mut buffer[connection.received..]) {
            Ok(0) => return false,
            Ok(more) => connection.received += more,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            Err(_) => return false,
        }
        if !is_complete(&buffer[..connection.received]) {
            continue;
        }
        connection.received = 0;
        let mut script = script();
        let sent = script.sent;
        script.sent += 1;
        let (mut bytes, mut keeps_open) = (NOT_FOUND, true);
        if let Some(response) = script.responses.get(sent) {
            (bytes, keeps_open) = (&response.bytes, response.keeps_open);
            if response.cancels {
                keeps_open = !script.token.0.is_null();
                // SAFETY: the token is NULL or not destroyed.
                unsafe { mlflow_gateway_cancel(script.token.0) };
            }
        }
        // Responses fit into the socket's buffer.
        if connection.stream.write_all(bytes).is_err() || !keeps_open {
            return false;
        }
    }
}

/// Returns whether a request is complete. The library writes header names in lower case.
fn is_complete(request: &[u8]) -> bool {
    const LENGTH: &[u8] = b"\r\ncontent-length: ";
    let find = |text: &[u8]| request.windows(text.len()).position(|part| part == text);
    let Some(head) = find(b"\r\n\r\n") else { return false };
    let length = find(LENGTH).filter(|at| *at < head).map_or(0, |at| {
        let digits = request[at + LENGTH.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'))
    });
    request.len() >= head + 4 + length
}
