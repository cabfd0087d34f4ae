//! A gateway on this machine that answers what the fuzzer says, whatever it is asked.
//!
//! Its one thread allocates nothing once it runs, since the fuzzer takes what is allocated and not freed during one
//! input for a leak.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::{ptr, thread};

use mlflow_ai_gateway::ffi::cancel::{mlflow_gateway_cancel, mlflow_gateway_cancel_token};

/// As many connections, and as many bytes of a question, as a library that works never needs.
const MAX_CONNECTIONS: usize = 100;
const MAX_QUESTION: usize = 128 * 1024;

pub struct ModelResponse {
    pub bytes: Vec<u8>,
    /// Whether another question may follow on the connection.
    pub keeps_open: bool,
    /// Whether the token is cancelled when the question has come.
    pub cancels: bool,
}

struct Script {
    answers: Vec<ModelResponse>,
    given: usize,
    token: Token,
}

/// NULL, or one that was not destroyed.
struct Token(*mut mlflow_gateway_cancel_token);

// SAFETY: a token may be used by any thread.
unsafe impl Send for Token {}

static SCRIPT: Mutex<Script> = Mutex::new(Script { answers: Vec::new(), given: 0, token: Token(ptr::null_mut()) });

const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 22\r\n\r\n{\"detail\":\"Not Found\"}";

/// Answers so from now on, each question the next one, and those after the last that there is no such path.
pub fn answer(answers: Vec<ModelResponse>) {
    let mut script = script();
    script.answers = answers;
    script.given = 0;
}

/// Cancels this token, where an answer says so, as long as it is not destroyed; or NULL, which is none.
pub fn cancel_by(token: *mut mlflow_gateway_cancel_token) {
    script().token = Token(token);
}

/// Where it listens.
pub fn port() -> u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    *PORT.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        listener.set_nonblocking(true).expect("a listener can be asked not to block");
        stay_on_one_processor();
        let port = listener.local_addr().expect("it has a port").port();
        thread::spawn(move || run(&listener));
        // Its memory takes a while to be there, for which no call should have to wait.
        let mut first = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        first.write_all(b"GET / HTTP/1.1\r\n\r\n").and_then(|()| first.read_exact(&mut [0])).expect("it answers");
        port
    })
}

/// The fuzzer and the gateway never run at the same time: one waits for the other. On one processor each is woken at
/// once, and not by an interrupt on another one.
fn stay_on_one_processor() {
    // SAFETY: the set is a plain value of the size that is told.
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
    question: usize,
}

fn run(listener: &TcpListener) -> ! {
    let mut connections: Vec<Connection> = Vec::with_capacity(MAX_CONNECTIONS);
    let mut buffers: Vec<Vec<u8>> = vec![vec![0; MAX_QUESTION]; MAX_CONNECTIONS];
    let mut polled: Vec<libc::pollfd> = Vec::with_capacity(MAX_CONNECTIONS + 1);
    loop {
        polled.clear();
        let sockets = connections.iter().map(|connection| connection.stream.as_raw_fd());
        polled.extend(std::iter::once(listener.as_raw_fd()).chain(sockets).map(|fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        }));
        // SAFETY: it is a list of descriptors of that length.
        unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, -1) };
        for place in (0..connections.len()).rev() {
            let is_over = polled[place + 1].revents != 0 && !go_on(&mut connections[place], &mut buffers[place]);
            if is_over {
                // The buffers go with the connections.
                let last = connections.len() - 1;
                buffers.swap(place, last);
                connections.swap_remove(place);
            }
        }
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(true).expect("a socket can be asked not to block");
            stream.set_nodelay(true).expect("a socket can be asked to send at once");
            assert!(connections.len() < MAX_CONNECTIONS, "the library leaves connections open");
            connections.push(Connection { stream, question: 0 });
        }
    }
}

/// Reads on, and answers a question that is complete; says whether the connection lives.
fn go_on(connection: &mut Connection, buffer: &mut [u8]) -> bool {
    loop {
        match connection.stream.read(&mut buffer[connection.question..]) {
            Ok(0) => return false,
            Ok(more) => connection.question += more,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            Err(_) => return false,
        }
        if !is_complete(&buffer[..connection.question]) {
            continue;
        }
        connection.question = 0;
        let mut script = script();
        let given = script.given;
        script.given += 1;
        let (mut bytes, mut keeps_open) = (NOT_FOUND, true);
        if let Some(answer) = script.answers.get(given) {
            (bytes, keeps_open) = (&answer.bytes, answer.keeps_open);
            if answer.cancels {
                keeps_open = !script.token.0.is_null();
                // SAFETY: it is NULL or was not destroyed.
                unsafe { mlflow_gateway_cancel(script.token.0) };
            }
        }
        // Answers are small enough for the socket to take them at once.
        if connection.stream.write_all(bytes).is_err() || !keeps_open {
            return false;
        }
    }
}

/// Whether a question has come to its end. The library writes the names of its headers in lower case.
fn is_complete(question: &[u8]) -> bool {
    const LENGTH: &[u8] = b"\r\ncontent-length: ";
    let find = |what: &[u8]| question.windows(what.len()).position(|part| part == what);
    let Some(head) = find(b"\r\n\r\n") else { return false };
    let length = find(LENGTH).filter(|at| *at < head).map_or(0, |at| {
        let digits = question[at + LENGTH.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'))
    });
    question.len() >= head + 4 + length
}
