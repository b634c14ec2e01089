//! `quorate mcp`: the operations as tools of a Model Context Protocol server on stdin and stdout.
//!
//! ```text
//!  --url   every call goes to the server
//!  --data  somebody has opened the folder ──► is asked, over its socket
//!          nobody has                     ──► it is opened, and others come in over its socket
//! ```
//!
//! Whether somebody has opened the folder is looked at for every call until this process has: clients come and go, and who
//! was the first may be the first to leave.

use std::path::PathBuf;
use std::sync::Arc;

use clap::ArgMatches;
use quorate_mcp::{Mcp, Names, Operations, Selection};
use quorate_runtime::api::Quorate;
use quorate_runtime::api::caller::Credential;
use quorate_runtime::api::ops::{Called, OPERATIONS, Operation};
use quorate_runtime::config::Config;
use quorate_runtime::error::{Error, ErrorKind};
use quorate_runtime::shell::clock::Stopwatch;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::ops::{Named, aside, named_outside, owner_of, serve_folder};
use super::output::Stop;
use super::remote::{self, Server, Token};
use super::signals::Signals;
use super::{args, open};

/// Serves until the client closes stdin, or a signal comes.
pub(super) async fn run(matches: &ArgMatches) -> Result<u8, Stop> {
    let tools =
        matches.get_one::<String>(args::TOOLS).map_or(Ok(Selection::Core), |text| Selection::parse(text))?;
    let reach = Reach::asked(matches)?;
    let mut signals = Signals::listen()?;
    // A folder that does not open is told now, to whoever started this, and not to the model with its first call.
    if let Reach::Folder(folder) = &reach {
        folder.find().await?;
    }
    let served = tokio::select! {
        served = quorate_mcp::serve_stdio(Mcp::new(reach.clone(), tools)) => served,
        () = signals.next() => Ok(()),
    };
    if let Reach::Folder(folder) = &reach {
        folder.close().await?;
    }
    served?;
    Ok(0)
}

/// Where operations are carried out.
#[derive(Clone)]
enum Reach {
    Server(Server),
    Folder(Arc<Folder>),
}

impl Reach {
    fn asked(matches: &ArgMatches) -> Result<Self, Error> {
        let named = match (matches.get_one::<String>("url"), matches.get_one::<PathBuf>("data")) {
            (Some(url), _) => Some(Named::Url(url.clone())),
            (None, Some(data)) => Some(Named::Data(data.clone())),
            (None, None) => named_outside()?,
        };
        match named {
            Some(Named::Url(url)) => Ok(Reach::Server(Server::at(&url, matches)?)),
            Some(Named::Data(data)) => {
                let mut config = open::folder(&data, true, matches)?;
                // A session leads nothing: tokens it was given, and those it gives out, outlive it.
                config.jobs.take_over = false;
                let token = Token::said(matches)?;
                Ok(Reach::Folder(Arc::new(Folder { data, config, token, opened: Mutex::default() })))
            }
            None => {
                let expected = "--data DIR or --url URL, or QUORATE_DATA or QUORATE_URL in the environment";
                Err(Error::invalid("data", Value::Null, expected))
            }
        }
    }
}

impl Operations for Reach {
    fn call(&self, op: &'static Operation, fields: Map<String, Value>) -> Called {
        match self.clone() {
            Reach::Server(server) => Box::pin(aside(move || remote::call(&server, op, fields))),
            Reach::Folder(folder) => Box::pin(async move { folder.call(op, fields).await }),
        }
    }

    fn covered(&self) -> Names {
        match self.clone() {
            Reach::Server(server) => Box::pin(aside(move || remote::covered(&server))),
            Reach::Folder(folder) => Box::pin(async move {
                match folder.find().await? {
                    Found::Here(q) => q.covered().await,
                    Found::There(server) if folder.token.is_some() => {
                        aside(move || remote::covered(&server)).await
                    }
                    // The owner of a folder may ask for everything.
                    Found::There(_) => Ok(OPERATIONS.iter().map(|op| op.name).collect()),
                }
            }),
        }
    }
}

/// A data folder.
struct Folder {
    data: PathBuf,
    config: Config,
    token: Option<Token>,
    opened: Mutex<Option<Opened>>,
}

/// What this process has opened, and what answers others that name the folder.
struct Opened {
    q: Quorate,
    served: Option<quorate_http::Server>,
}

/// Who carries operations out.
enum Found {
    Here(Quorate),
    There(Server),
}

impl Folder {
    /// Who answers for the folder now; this process if nobody else does.
    async fn find(&self) -> Result<Found, Error> {
        let mut opened = self.opened.lock().await;
        let since = Stopwatch::start();
        loop {
            if let Some(Opened { q, .. }) = &*opened {
                return Ok(Found::Here(self.admitted(q)?));
            }
            #[cfg(unix)]
            {
                if let Some(Server::Owner(data, _)) = owner_of(&self.data) {
                    return Ok(Found::There(Server::Owner(data, self.token.clone())));
                }
            }
            match Quorate::open(self.config.clone()).await {
                Ok(q) => {
                    open::tell(&q.recovery_report().store);
                    let served = serve_folder(&q, &self.data);
                    *opened = Some(Opened { q, served });
                }
                Err(e) if e.kind() == ErrorKind::StoreLocked && since.elapsed() < open::COMMAND.most => {
                    tokio::time::sleep(open::COMMAND.every).await;
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// The handle in whose name this process acts: that of the token, or the owner of the folder.
    fn admitted(&self, q: &Quorate) -> Result<Quorate, Error> {
        match &self.token {
            Some(token) => q.admit(Credential::Token(token.text())),
            None => Ok(q.clone()),
        }
    }

    async fn call(&self, op: &'static Operation, fields: Map<String, Value>) -> Result<Value, Error> {
        let since = Stopwatch::start();
        loop {
            let server = match self.find().await? {
                Found::Here(q) => return op.call(q, fields).await,
                Found::There(server) => server,
            };
            let asked = fields.clone();
            match aside(move || remote::call(&server, op, asked)).await {
                // The owner is gone and has not heard it: another may be there, or this process becomes it.
                Err(e) if e.detail(remote::UNHEARD).is_some() && since.elapsed() < open::COMMAND.most => {
                    tokio::time::sleep(open::COMMAND.every).await;
                }
                answer => return answer,
            }
        }
    }

    /// Lets go of the folder.
    async fn close(&self) -> Result<(), Error> {
        let Some(Opened { q, served }) = self.opened.lock().await.take() else { return Ok(()) };
        let stopped = match served {
            Some(server) => server.stop().await,
            None => Ok(()),
        };
        q.close().await.and(stopped)
    }
}
