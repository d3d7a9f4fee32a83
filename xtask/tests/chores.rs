//! The chores as they are called: each starts, and the server serves.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

type Outcome = Result<(), Box<dyn Error>>;

fn xtask() -> Command {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
}

#[test]
fn every_chore_starts_with_help() -> Outcome {
    let help = String::from_utf8(xtask().arg("--help").output()?.stdout)?;
    let listed = help.split("Commands:").nth(1).and_then(|rest| rest.split("Options:").next());
    let chores: Vec<&str> = listed
        .ok_or("no list of chores")?
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(chores.contains(&"serve") && chores.contains(&"demo"), "{chores:?}");
    for chore in chores.iter().filter(|chore| **chore != "help") {
        for call in [[chore, "--help"], ["help", chore]] {
            let output = xtask().args(call).output()?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{call:?}: {said}");
            assert!(String::from_utf8_lossy(&output.stdout).contains("Usage:"), "{call:?}");
        }
        let wrong = xtask().args([chore, "--no-such-option"]).output()?;
        assert_eq!(wrong.status.code(), Some(2), "{chore}");
    }
    Ok(())
}

/// A server that ends with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn serve_serves_a_folder_until_it_is_ended() -> Outcome {
    let root = std::env::temp_dir().join(format!("xtask-chores-{}", std::process::id()));
    fs::create_dir_all(&root)?;
    fs::write(root.join("index.html"), "<p>hello")?;
    fs::write(root.join("engine.wasm"), "0123456789")?;
    let mut serve = xtask();
    serve.args(["serve", "--port", "0", "--root"]).arg(&root);
    let mut running = Running(serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?);
    let mut line = String::new();
    let said = running.0.stdout.take().ok_or("no output")?;
    BufReader::new(said).read_line(&mut line)?;
    let address = line.trim().strip_prefix("http://").and_then(|rest| rest.strip_suffix('/'));
    let address = address.ok_or_else(|| format!("no address: {line:?}"))?.to_owned();

    let ask = |path: &str, fields: &str| -> Result<String, Box<dyn Error>> {
        let mut stream = TcpStream::connect(&address)?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let page = ask("/", "")?;
    assert!(page.starts_with("HTTP/1.1 200") && page.ends_with("<p>hello"), "{page}");
    assert!(page.contains("Content-Type: text/html; charset=utf-8"), "{page}");
    let wasm = ask("/engine.wasm", "")?;
    assert!(wasm.contains("Content-Type: application/wasm"), "{wasm}");
    let part = ask("/engine.wasm", "Range: bytes=3-5\r\n")?;
    assert!(part.starts_with("HTTP/1.1 206") && part.ends_with("\r\n\r\n345"), "{part}");
    assert!(ask("/none", "")?.starts_with("HTTP/1.1 404"));

    let port = address.rsplit(':').next().ok_or("no port")?;
    let second = xtask().args(["serve", "--port", port, "--root"]).arg(&root).output()?;
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("in use") && said.contains("--port"), "{said}");

    running.0.kill()?;
    running.0.wait()?;
    assert!(TcpStream::connect(&address).is_err(), "nothing listens any more");
    fs::remove_dir_all(root)?;
    Ok(())
}
