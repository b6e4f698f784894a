//! Connections: bounded in number, and in the time that each may leave us waiting.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;

/// How long the header of a request may take to arrive, and a connection may be idle.
const HEADER_TIME: Duration = Duration::from_secs(30);
/// How long to wait when the system has no file for another connection.
const PAUSE: Duration = Duration::from_millis(100);

/// The connections of a server.
pub struct Connections {
    places: Arc<Semaphore>,
    write_time: Duration,
    open: GracefulShutdown,
}

impl Connections {
    /// At most `most` at a time; more wait in the system's queue.
    pub fn new(most: usize, write_time: Duration) -> Self {
        let open = GracefulShutdown::new();
        Self { places: Arc::new(Semaphore::new(most)), write_time, open }
    }

    /// Accepts connections for ever.
    pub async fn accept(&self, listener: TcpListener, routes: Router) {
        while let Ok(place) = self.places.clone().acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let connection = self.serve(stream, routes.clone());
                    tokio::spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn serve(&self, stream: TcpStream, routes: Router) -> impl Future<Output = ()> + use<> {
        // Only a delay: nothing is lost where the system refuses.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.write_time));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIME)
            .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(routes));
        let watched = self.open.watch(connection);
        async move {
            if let Err(error) = watched.await {
                tracing::debug!(%error, "connection");
            }
        }
    }

    /// Lets every connection end its response, within a time.
    pub async fn close(self, limit: Duration) {
        if timeout(limit, self.open.shutdown()).await.is_err() {
            tracing::warn!("some connections were cut");
        }
    }
}
