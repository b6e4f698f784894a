//! Answers as responses: whole, or as server-sent events.

use crate::{
    api::Usage,
    ask::{Asked, Piece, Scored},
    error::ApiError,
};
use axum::{
    Json,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use serde::Serialize;
use std::{collections::VecDeque, convert::Infallible, time::Duration};

/// A comment is sent on a stream that has been silent for so long: to notice that a client has gone.
const SILENCE: Duration = Duration::from_secs(5);

/// An answer that has ended.
#[derive(Debug, Clone, Default)]
pub struct Whole {
    /// Its text.
    pub text: String,
    /// Its tokens, where their log-probabilities were asked for.
    pub tokens: Option<Vec<Scored>>,
    /// Why it ended.
    pub finish: &'static str,
}

/// How an endpoint writes answers.
pub trait Form: Send + 'static {
    /// A piece of a stream.
    type Chunk: Serialize + Send;

    /// What opens an answer in a stream, if anything does.
    fn opening(&self, choice: usize) -> Option<Self::Chunk>;

    /// A piece of an answer.
    fn piece(&self, piece: Piece) -> Self::Chunk;

    /// The chunk with the usage.
    fn usage(&self, usage: Usage) -> Self::Chunk;

    /// All answers at once.
    fn whole(&self, answers: Vec<Whole>, usage: Usage) -> impl Serialize;
}

/// Waits for all answers.
pub async fn whole(mut asked: Asked, form: &impl Form) -> Result<Response, ApiError> {
    let mut answers = vec![Whole::default(); asked.choices()];
    while let Some(piece) = asked.next().await {
        let piece = piece?;
        let answer = &mut answers[piece.choice];
        answer.text += &piece.text;
        answer.finish = piece.finish.unwrap_or_default();
        if let Some(tokens) = piece.tokens {
            answer.tokens.get_or_insert_default().extend(tokens);
        }
    }
    Ok(Json(form.whole(answers, asked.usage().clone())).into_response())
}

/// Sends the answers as they come. Ends in `[DONE]`, or in an event with an error.
pub fn streamed<F: Form + Sync>(asked: Asked, form: F, with_usage: bool) -> Response {
    let ready = (0..asked.choices()).filter_map(|i| form.opening(i)).map(event).collect();
    let sending = Sending { asked, form, with_usage, ready, ended: false };
    let events = stream::unfold(sending, |mut sending| async {
        let event = sending.next().await?;
        Some((Ok::<_, Infallible>(event), sending))
    });
    let alive = KeepAlive::new().interval(SILENCE);
    Sse::new(events).keep_alive(alive).into_response()
}

struct Sending<F> {
    asked: Asked,
    form: F,
    with_usage: bool,
    /// Events to be sent first.
    ready: VecDeque<Event>,
    ended: bool,
}

impl<F: Form> Sending<F> {
    async fn next(&mut self) -> Option<Event> {
        if let Some(event) = self.ready.pop_front() {
            return Some(event);
        }
        if self.ended {
            return None;
        }
        match self.asked.next().await {
            Some(Ok(piece)) => Some(event(self.form.piece(piece))),
            Some(Err(error)) => {
                self.ended = true;
                Some(event(error.body()))
            }
            None => {
                self.ended = true;
                let usage = self.with_usage.then(|| self.form.usage(self.asked.usage().clone()));
                self.ready.extend(usage.map(event));
                self.ready.push_back(Event::default().data("[DONE]"));
                self.ready.pop_front()
            }
        }
    }
}

fn event(chunk: impl Serialize) -> Event {
    // Only maps with keys that are no strings, and NaN as a key, fail; there are none.
    Event::default().json_data(chunk).unwrap_or_default()
}
