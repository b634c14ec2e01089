//! Is what the README and the pages show what one sees? Every console block runs, every generated table is compared.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use quorate_runtime::api::ops::{Method, OPERATIONS};
use quorate_runtime::error::KINDS;
use tempfile::TempDir;

use super::{project, quorate, run};

/// Commands that build or test the project; the README's own are run by `.ci/run`.
const BUILDS: [&str; 4] = ["cargo test", "cargo bench", "cargo run --example", "cargo install"];

/// One command of a console block.
#[derive(Debug, PartialEq)]
struct Shown {
    command: String,
    output: Vec<String>,
}

/// The README and the pages, by path.
fn pages() -> Vec<PathBuf> {
    let docs = std::fs::read_dir(project("src/docs")).expect("the pages are there");
    let mut pages: Vec<_> = docs.map(|entry| entry.expect("a page").path()).collect();
    pages.retain(|page| page.extension().is_some_and(|end| end == "md"));
    pages.sort();
    pages.insert(0, project("README.md"));
    pages
}

/// The commands of all console blocks of a page, in order, each with the output shown below it.
fn shown(page: &str) -> Vec<Shown> {
    let mut out: Vec<Shown> = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "```console" {
            continue;
        }
        while let Some(line) = lines.next().filter(|line| line.trim() != "```") {
            let Some(command) = line.strip_prefix("$ ") else {
                if let Some(last) = out.last_mut() {
                    last.output.push(line.to_owned());
                }
                continue;
            };
            let mut command = command.to_owned();
            let mut last = command.clone();
            let here = command.contains("<<'END'");
            while here && last != "END" || last.ends_with('\\') {
                last = lines.next().expect("the command ends").to_owned();
                command = format!("{command}\n{last}");
            }
            out.push(Shown { command, output: Vec::new() });
        }
    }
    out
}

/// A line fits when it is the same, or begins as what stands before `…`.
fn fits(shown: &str, got: &str) -> bool {
    match shown.strip_suffix('…') {
        Some(start) => got.starts_with(start),
        None => got == shown,
    }
}

/// The server of a page.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(folder: &Path, arguments: &str) -> Self {
        let mut command = quorate(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(arguments.split_whitespace()).current_dir(folder);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the server starts");
        let stdout = child.stdout.take().expect("its output");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("the server says where it listens");
        let address = line.trim().rsplit('/').next().unwrap_or_default().to_owned();
        assert!(line.starts_with("listening on http://127.0.0.1:"), "{line}");
        Server { child, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; the test has failed then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs all commands of a page in one folder, as a reader would from top to bottom.
fn follow(page: &Path) {
    let text = std::fs::read_to_string(page).expect("the page can be read");
    let folder = TempDir::new().expect("a temporary folder");
    std::os::unix::fs::symlink(project("examples"), folder.path().join("examples")).expect("a link");
    let program = Path::new(env!("CARGO_BIN_EXE_quorate")).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut server: Option<Server> = None;
    for Shown { command, output } in shown(&text) {
        if BUILDS.iter().any(|build| command.starts_with(build)) {
            continue;
        }
        let mut command = command.replace("cargo run --release -- ", "quorate ");
        if let Some(serve) = command.strip_prefix("quorate serve ").and_then(|rest| rest.strip_suffix('&')) {
            server = Some(Server::start(folder.path(), serve));
            continue;
        }
        if let Some(server) = &server {
            command =
                command.replace("127.0.0.1:7171", &server.address).replace("localhost:7171", &server.address);
        }
        let ran = Command::new("bash")
            .args(["-ec", &command])
            .current_dir(folder.path())
            .env("PATH", &path)
            .env_remove("QUORATE_LOG")
            .env_remove("QUORATE_URL")
            .env_remove("QUORATE_DATA")
            .env("COLUMNS", "120")
            .output()
            .expect("bash runs");
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        let place = format!("{}: {command}\n{out}{err}", page.display());
        assert!(ran.status.success(), "{place}");
        assert!(!command.starts_with("curl") || out.contains("\"success\":true"), "{place}");
        for (shown, got) in output.iter().zip(out.lines().chain(std::iter::repeat(""))) {
            assert!(fits(shown, got), "shown: {shown}\n{place}");
        }
    }
}

#[test]
fn every_console_block_of_the_readme_and_the_pages_runs_as_shown() {
    for tool in ["bash", "curl"] {
        if Command::new(tool).arg("--version").output().is_err() {
            eprintln!("!!! NOT RUN: the console blocks need {tool}, which is not installed");
            return;
        }
    }
    for page in pages() {
        follow(&page);
    }
}

#[test]
fn a_block_is_read_with_continued_lines_here_documents_and_output() {
    let page = "```console\n$ a \\\n   b\nout\n$ c <<'END'\n{}\nEND\n```\n$ no\n```sh\n$ no\n```\n";
    let shown = shown(page);
    assert_eq!(shown.len(), 2);
    assert_eq!(
        (shown[0].command.as_str(), shown[0].output.as_slice()),
        ("a \\\n   b", &["out".to_owned()][..])
    );
    assert_eq!(shown[1].command, "c <<'END'\n{}\nEND");
    assert!(fits("ab…", "abc") && fits("ab", "ab") && !fits("ab", "abc") && !fits("b…", "abc"));
}

/// The table of operations as a page shows it.
fn operations_table() -> String {
    let mut out = String::from("| operation | path | does | needs | who acts |\n|---|---|---|---|---|\n");
    for op in OPERATIONS {
        let method = match op.method {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        let acts: Vec<String> = op.acts.iter().map(|acts| format!("`{}`", acts.field())).collect();
        let (needs, acts) = (op.scope.name(), acts.join(", "));
        out.push_str(&format!(
            "| `{}` | `{method} {}` | {} | {needs} | {acts} |\n",
            op.name, op.path, op.summary
        ));
    }
    out
}

#[test]
fn the_page_of_operations_is_the_table_in_the_code() {
    let page = project("src/docs/operations.md");
    let text = std::fs::read_to_string(&page).expect("the page is there");
    let (start, rest) = text.split_once("<!-- operations: generated -->\n").expect("the place of the table");
    let (_, end) = rest.split_once("<!-- end -->").expect("the end of the table");
    let fresh = format!("{start}<!-- operations: generated -->\n{}<!-- end -->{end}", operations_table());
    if std::env::var_os("QUORATE_REWRITE_GOLDEN").is_some() {
        std::fs::write(&page, &fresh).expect("the page can be written");
        return;
    }
    assert!(
        text == fresh,
        "write it anew: QUORATE_REWRITE_GOLDEN=1 cargo test --test cli page_of_operations"
    );
}

#[test]
fn the_page_of_errors_gives_each_kind_its_status_and_exit_code() {
    let text = std::fs::read_to_string(project("src/docs/errors.md")).expect("the page is there");
    let help = run(&["--help"]).ok().out().to_owned();
    let listed = help.split_once("Exit codes:").expect("the help lists them").1;
    for kind in KINDS {
        let exit = kind.exit.to_string();
        // Outcomes stand in a list of their own, behind the first.
        assert!(listed.split([' ', '\n', ':']).any(|word| word == exit), "--help lacks the exit code {exit}");
        let row = format!("| `{}` | {} | {} | ", kind.name, kind.status, kind.exit);
        assert!(text.lines().any(|line| line.starts_with(&row)), "src/docs/errors.md lacks the row {row}");
    }
}

#[test]
fn the_readme_takes_five_minutes() {
    let lines = std::fs::read_to_string(project("README.md")).expect("the README is there").lines().count();
    assert!(lines <= 300, "README.md has {lines} lines; pages below src/docs hold the rest");
}
