//! `terntable serve`.

use super::{CardArg, HeadArg, ModelArg, ThreadsArg, print_text};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use terntable::{
    Error,
    device::cores,
    import::AnyCheckpoint,
    language::Language,
    serve::{Server, SetUp, service},
};
use terntable_scheduler::{Options as Scheduling, PolicyName, Role, Service};
use terntable_server::{Options, serve};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArg,
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The model's name for clients. Default: its folder's.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    place: PlaceArgs,
    /// Keys that clients must send one of, with commas between them; by default anybody may ask.
    #[arg(long, value_name = "KEY", env = "TERNTABLE_API_KEY", hide_env_values = true)]
    #[arg(value_delimiter = ',')]
    api_key: Vec<String>,
    #[command(flatten)]
    limits: LimitArgs,
    /// What the log on standard error says: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log: tracing::Level,
    /// The log as JSON, an object a line.
    #[arg(long)]
    log_json: bool,
}

/// Where the model runs.
#[derive(Debug, clap::Args)]
pub struct PlaceArgs {
    /// Where the model runs: cpu, golden, card-golden, sim, model:kv260[:SHAPE] (tokens of the CPU, times of a
    /// modelled card), or some with commas between them.
    #[arg(long, value_name = "DEVICE", default_value = "cpu", value_delimiter = ',')]
    device: Vec<Server>,
    #[command(flatten)]
    threads: ThreadsArg,
    /// Which head scores the tokens.
    #[arg(long, value_enum, default_value = "two-stage")]
    head: HeadArg,
    /// Tokens whose keys and values each device holds; the longest context at least.
    #[arg(long, value_name = "N", value_parser = super::positive)]
    positions: Option<usize>,
    #[command(flatten)]
    card: CardArg,
    /// What fills passes.
    #[arg(long, value_enum, default_value = "chunked")]
    policy: PolicyArg,
    /// What each device is used for, in their order: both, prefill (prompts) or decode (answers).
    #[arg(long, value_enum, value_name = "ROLE", value_delimiter = ',')]
    roles: Vec<RoleArg>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum PolicyArg {
    /// Prompts in chunks beside running answers.
    Chunked,
    /// Prompts before answers.
    PrefillFirst,
    /// One request after the other.
    Fcfs,
}

impl From<PolicyArg> for PolicyName {
    fn from(arg: PolicyArg) -> Self {
        match arg {
            PolicyArg::Chunked => PolicyName::Chunked,
            PolicyArg::PrefillFirst => PolicyName::PrefillFirst,
            PolicyArg::Fcfs => PolicyName::Fcfs,
        }
    }
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum RoleArg {
    /// Prompts and answers.
    Both,
    /// Prompts.
    Prefill,
    /// Answers.
    Decode,
}

impl From<RoleArg> for Role {
    fn from(arg: RoleArg) -> Self {
        match arg {
            RoleArg::Both => Role::Both,
            RoleArg::Prefill => Role::Prefill,
            RoleArg::Decode => Role::Decode,
        }
    }
}

impl PlaceArgs {
    /// The devices.
    pub fn devices(&self) -> impl Iterator<Item = &Server> {
        self.device.iter()
    }

    /// The scheduler on the devices; so many requests may wait.
    pub fn service(&self, checkpoint: &AnyCheckpoint, queue: usize) -> Result<Service, Error> {
        let set_up = SetUp {
            card: self.card.config()?,
            threads: self.threads.threads.unwrap_or_else(cores),
            head: self.head.into(),
            positions: self.positions,
        };
        let options = Scheduling {
            policy: self.policy.into(),
            roles: self.roles.iter().map(|role| (*role).into()).collect(),
            queue,
            ..Scheduling::default()
        };
        service(checkpoint, &self.device, &set_up, options)
    }
}

/// What the server takes.
#[derive(Debug, clap::Args)]
pub struct LimitArgs {
    /// Most requests in work at a time; more get 429.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = super::positive)]
    max_requests: usize,
    /// Most answers that wait for a slot; more get 429.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = super::positive)]
    queue: usize,
    /// Most bytes of a request; more get 413.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20, value_parser = super::positive)]
    max_body: usize,
    /// The longest that a request may take, seconds.
    #[arg(long, value_name = "S", default_value_t = 600.0, value_parser = seconds)]
    max_time: f64,
    /// The longest that a client may leave its answer lying, seconds.
    #[arg(long, value_name = "S", default_value_t = 30.0, value_parser = seconds)]
    write_time: f64,
    /// How long requests may go on after SIGTERM or Ctrl-C, seconds. A second signal ends the program at once.
    #[arg(long, value_name = "S", default_value_t = 30.0, value_parser = seconds)]
    patience: f64,
}

/// Seconds, at most a day.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|s| (0.0..=86_400.0).contains(s));
    seconds.ok_or("expected seconds, 0 to 86400".into())
}

impl LimitArgs {
    fn options(&self, api_keys: Vec<String>) -> Options {
        Options {
            api_keys,
            max_requests: self.max_requests,
            body_bytes: self.max_body,
            request_time: Duration::from_secs_f64(self.max_time),
            write_time: Duration::from_secs_f64(self.write_time),
            patience: Duration::from_secs_f64(self.patience),
        }
    }
}

pub fn run(args: &Args) -> Result<(), Error> {
    log(args.log, args.log_json);
    if args.api_key.iter().any(|key| key.trim().is_empty()) {
        return Err(Error::Input("an API key is empty; give a word, or none at all".into()));
    }
    let checkpoint = args.model.open()?;
    let language = Language::new(&checkpoint, args.name.clone())?;
    if !language.has_template() {
        tracing::info!("the model has no chat template: it continues the text of a conversation");
    }
    let service = args.place.service(&checkpoint, args.limits.queue)?;
    let options = args.limits.options(args.api_key.clone());
    runtime()?.block_on(async {
        let stop = stop()?;
        let listener = listen(args.listen).await?;
        let address = listener.local_addr().unwrap_or(args.listen);
        print_text(&format!("http://{address}\n"))?;
        serve(listener, service, Arc::new(language), options, stop)
            .await
            .map_err(|e| Error::Input(e.to_string()))
    })
}

/// Threads for connections. Tokens are made on others.
pub fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|e| Error::Input(format!("cannot start threads: {e}; end other programs")))
}

/// Listens on an address.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|e| {
        Error::Input(format!("cannot listen on {address}: {e}; give another address with --listen"))
    })
}

/// Ends with the first SIGTERM or SIGINT. The second ends the program.
fn stop() -> Result<impl Future<Output = ()>, Error> {
    let wrong = |e| Error::Input(format!("cannot take over signals: {e}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(wrong)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(wrong)?;
    let (first, seen) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut first = Some(first);
        loop {
            // As a shell says it: 128 and the signal's number.
            let code = tokio::select! { _ = terminate.recv() => 143, _ = interrupt.recv() => 130 };
            match first.take() {
                Some(first) => _ = first.send(()),
                None => std::process::exit(code),
            }
        }
    });
    Ok(async {
        let _ = seen.await;
    })
}

/// The log, on standard error.
fn log(level: tracing::Level, json: bool) {
    let log = tracing_subscriber::fmt().with_max_level(level).with_target(false);
    let log = log.with_writer(std::io::stderr);
    match json {
        true => log.json().flatten_event(true).init(),
        false => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
    }
}
