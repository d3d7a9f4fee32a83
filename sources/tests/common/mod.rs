//! A server that behaves as badly as it is told to, on loopback; for the tests of the command line
//! and the example too.
#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs of it")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A question as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub headers: HashMap<String, String>,
    /// How often its path was asked for before.
    pub nth: usize,
}

/// What to answer.
#[derive(Clone)]
pub enum Reply {
    /// Status, headers, body; the length is added.
    Full(u16, Vec<(String, String)>, Vec<u8>),
    /// These bytes, and then the connection ends.
    Raw(Vec<u8>),
    /// These bytes, and then nothing, for as long as the server lives.
    Stall(Vec<u8>),
    /// These bytes, then this many zeros one at a time with a pause before each.
    Drip(Vec<u8>, usize, Duration),
    /// These bytes, then zeros without end.
    Endless(Vec<u8>),
    /// As another, after a while.
    Slow(Duration, Box<Reply>),
}

pub fn ok(body: impl Into<Vec<u8>>) -> Reply {
    Reply::Full(200, vec![("Content-Type".into(), "image/png".into())], body.into())
}

pub fn status(status: u16) -> Reply {
    Reply::Full(status, Vec::new(), b"no".to_vec())
}

pub fn redirect(to: &str) -> Reply {
    status(302).with("Location", to)
}

impl Reply {
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Full(_, headers, _) = &mut self {
            headers.retain(|(n, _)| n != name);
            headers.push((name.into(), value.into()));
        }
        self
    }
}

pub struct Server {
    pub address: SocketAddr,
    pub log: Arc<Mutex<Vec<Request>>>,
    /// The most questions that were being answered at one time.
    pub most: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
}

impl Server {
    pub fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::over(handler, |stream| stream)
    }

    /// Over connections that `wrap` has made of those that came in.
    pub fn over<S: Read + Write>(
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
        wrap: impl Fn(TcpStream) -> S + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            log: Arc::default(),
            most: Arc::default(),
            ended: Arc::default(),
        };
        let (log, most, ended) = (server.log.clone(), server.most.clone(), server.ended.clone());
        let (handler, wrap) = (Arc::new(handler), Arc::new(wrap));
        let now = Arc::new(AtomicUsize::new(0));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                let (handler, wrap, log) = (handler.clone(), wrap.clone(), log.clone());
                let (ended, most, now) = (ended.clone(), most.clone(), now.clone());
                thread::spawn(move || {
                    let answer = |request: &Request| {
                        let count = now.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(count, Ordering::SeqCst);
                        let reply = handler(request);
                        // A slow one is busy until it answers.
                        let reply = match reply {
                            Reply::Slow(time, reply) => {
                                thread::sleep(time);
                                *reply
                            }
                            reply => reply,
                        };
                        now.fetch_sub(1, Ordering::SeqCst);
                        reply
                    };
                    serve(wrap(stream), &log, &ended, answer);
                });
            }
        });
        server
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }

    pub fn count(&self, path: &str) -> usize {
        self.requests().iter().filter(|request| request.path == path).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the one that listens.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve<S: Read + Write>(
    stream: S,
    log: &Mutex<Vec<Request>>,
    ended: &AtomicBool,
    answer: impl Fn(&Request) -> Reply,
) {
    let mut stream = BufReader::new(stream);
    while let Some(mut request) = read(&mut stream) {
        {
            let mut log = log.lock().unwrap();
            request.nth = log.iter().filter(|r| r.path == request.path).count();
            log.push(request.clone());
        }
        if !write(stream.get_mut(), answer(&request), ended) {
            break;
        }
    }
}

fn read(stream: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    Some(Request { path, headers, nth: 0 })
}

/// Whether the connection stays open.
fn write(stream: &mut impl Write, reply: Reply, ended: &AtomicBool) -> bool {
    let (start, more, pause) = match reply {
        Reply::Slow(time, reply) => {
            thread::sleep(time);
            return write(stream, *reply, ended);
        }
        Reply::Full(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} Said\r\n");
            for (name, value) in headers {
                head += &format!("{name}: {value}\r\n");
            }
            if status != 304 {
                head += &format!("Content-Length: {}\r\n", body.len());
            }
            let all = [format!("{head}\r\n").into_bytes(), body].concat();
            return stream.write_all(&all).and_then(|()| stream.flush()).is_ok();
        }
        Reply::Raw(start) => (start, 0, Duration::ZERO),
        Reply::Stall(start) => {
            let _ = stream.write_all(&start).and_then(|()| stream.flush());
            while !ended.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(20));
            }
            return false;
        }
        Reply::Drip(start, more, pause) => (start, more, pause),
        Reply::Endless(start) => {
            let _ = stream.write_all(&start);
            while !ended.load(Ordering::Relaxed) && stream.write_all(&[0; 8192]).is_ok() {}
            return false;
        }
    };
    let _ = stream.write_all(&start).and_then(|()| stream.flush());
    for _ in 0..more {
        thread::sleep(pause);
        if stream.write_all(&[0]).and_then(|()| stream.flush()).is_err() {
            break;
        }
    }
    false
}
