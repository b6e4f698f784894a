//! Asks the scheduler, and follows the answers: tokens in, pieces of text out.

use crate::{
    api::Usage,
    app::{App, Phase},
    error::ApiError,
    language::{Language, Text},
    metrics::Record,
    stops::Stops,
};
use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use terntable_scheduler::{Answer, Event, FinishReason, Refusal, Request, Token, Usage as Counted};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, sleep_until},
};

/// What is asked: choices of every prompt, all drawn in the same manner.
pub struct Question {
    /// Prompts; each gets `choices` answers.
    pub prompts: Vec<Vec<u32>>,
    /// Answers a prompt. The i-th of all takes the seed and i.
    pub choices: usize,
    /// The rest of each request; its prompt is left empty.
    pub request: Request,
    /// Strings that end the text.
    pub stops: Vec<String>,
}

/// A token of an answer, with what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// Its text.
    pub text: String,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// The likeliest tokens in its place.
    pub top: Vec<(String, f32)>,
    /// Characters of the answer before it.
    pub offset: usize,
}

/// What is new of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Piece {
    /// Which answer.
    pub choice: usize,
    /// New text; may be empty, while a character or a stop string is not whole.
    pub text: String,
    /// New tokens, where their log-probabilities were asked for.
    pub tokens: Option<Vec<Scored>>,
    /// Why the answer ends, if it does.
    pub finish: Option<&'static str>,
}

/// Answers that are on their way. Dropping them cancels what is not finished and frees the place.
pub struct Asked {
    choices: Vec<Choice>,
    /// Whose events are looked at first; so none starves.
    turn: usize,
    usage: Usage,
    limit: Duration,
    deadline: Instant,
    phase: watch::Receiver<Phase>,
    record: Record,
    _place: OwnedSemaphorePermit,
}

/// One answer.
struct Choice {
    /// Nothing when it has ended.
    answer: Option<Answer>,
    language: Arc<dyn Language>,
    text: Box<dyn Text>,
    stops: Stops,
    /// Whether it is the first of its prompt, whose tokens count once.
    first: bool,
    prompt_tokens: usize,
    made: usize,
    /// Characters so far, those held back included.
    characters: usize,
}

impl Asked {
    /// Submits every choice, or none.
    pub fn submit(
        app: &App,
        question: Question,
        place: OwnedSemaphorePermit,
    ) -> Result<Self, ApiError> {
        let mut record = app.metrics.record();
        let mut choices = Vec::new();
        for prompt in &question.prompts {
            for i in 0..question.choices {
                let request = Request {
                    prompt: prompt.clone(),
                    seed: question.request.seed.wrapping_add(choices.len() as u64),
                    ..question.request.clone()
                };
                let text = app.language.text(prompt).map_err(ApiError::invalid)?;
                choices.push(Choice {
                    answer: Some(app.client.submit(request).map_err(refused)?),
                    language: app.language.clone(),
                    text,
                    stops: Stops::new(question.stops.clone()),
                    first: i == 0,
                    prompt_tokens: prompt.len(),
                    made: 0,
                    characters: 0,
                });
            }
        }
        record.submitted(choices.iter().filter_map(|c| Some(c.answer.as_ref()?.id)).collect());
        Ok(Self {
            choices,
            turn: 0,
            usage: Usage::default(),
            limit: app.options.request_time,
            deadline: Instant::now() + app.options.request_time,
            phase: app.phase.clone(),
            record,
            _place: place,
        })
    }

    /// How many answers there are.
    pub fn choices(&self) -> usize {
        self.choices.len()
    }

    /// Tokens used by the answers that have ended.
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// What comes next; nothing when all answers have ended. An error ends them all.
    pub async fn next(&mut self) -> Option<Result<Piece, ApiError>> {
        if self.choices.iter().all(|choice| choice.answer.is_none()) {
            return None;
        }
        let Self { choices, turn, phase, deadline, limit, .. } = self;
        let event = tokio::select! {
            biased;
            event = poll_fn(|cx| poll(choices, turn, cx)) => Ok(event),
            () = sleep_until(*deadline) => Err(ApiError::late(*limit)),
            // An error means that the server is gone.
            _ = phase.wait_for(|phase| *phase == Phase::Ending) => Err(ApiError::closing()),
        };
        let result = event.and_then(|(i, event)| self.take(i, event));
        if let Err(error) = &result {
            self.record.failed(error);
            self.choices.iter_mut().for_each(|choice| choice.answer = None);
        }
        Some(result)
    }

    /// An event of an answer.
    fn take(&mut self, i: usize, event: Option<Event>) -> Result<Piece, ApiError> {
        let choice = &mut self.choices[i];
        let (mut piece, counted) = match event {
            Some(Event::Token(token)) => {
                self.record.token(choice.made == 0);
                let piece = choice.token(token)?;
                let counted = Counted {
                    prompt_tokens: choice.prompt_tokens,
                    completion_tokens: choice.made,
                    ..Counted::default()
                };
                (piece, counted)
            }
            Some(Event::Finished(finish)) => {
                let reason = match finish.reason {
                    FinishReason::End => "stop",
                    FinishReason::Length => "length",
                    FinishReason::Cancelled => return Err(ApiError::closing()),
                    FinishReason::Failed(why) => {
                        return Err(ApiError::failed(format!(
                            "the answer could not be made: {why}"
                        )));
                    }
                };
                (choice.rest(reason)?, finish.usage)
            }
            None => return Err(ApiError::failed("the scheduler has gone away in mid-answer")),
        };
        piece.choice = i;
        if piece.finish.is_some() {
            choice.answer = None;
            self.usage.add(&counted, choice.first);
            self.record.finished(&counted, piece.finish.unwrap_or_default());
        }
        Ok(piece)
    }
}

/// The next event of any answer that has not ended.
fn poll(
    choices: &mut [Choice],
    turn: &mut usize,
    cx: &mut Context<'_>,
) -> Poll<(usize, Option<Event>)> {
    for step in 0..choices.len() {
        let i = (*turn + step) % choices.len();
        let Some(answer) = &mut choices[i].answer else { continue };
        if let Poll::Ready(event) = answer.events.poll_recv(cx) {
            *turn = i + 1;
            return Poll::Ready((i, event));
        }
    }
    Poll::Pending
}

impl Choice {
    fn token(&mut self, token: Token) -> Result<Piece, ApiError> {
        self.made += 1;
        let new = self.text.push(token.id).map_err(ApiError::failed)?;
        let tokens = match token.logprob {
            Some(logprob) => Some(vec![self.scored(&token, logprob)?]),
            None => None,
        };
        self.characters += new.chars().count();
        let (text, stopped) = self.stops.push(&new);
        Ok(Piece { choice: 0, text, tokens, finish: stopped.then_some("stop") })
    }

    fn scored(&self, token: &Token, logprob: f32) -> Result<Scored, ApiError> {
        let text = |id| self.language.decode(&[id]).map_err(ApiError::failed);
        let top = token.top.iter().map(|&(id, logprob)| Ok((text(id)?, logprob)));
        let top = top.collect::<Result<_, ApiError>>()?;
        Ok(Scored { text: text(token.id)?, logprob, top, offset: self.characters })
    }

    /// What was held back, at the end.
    fn rest(&mut self, reason: &'static str) -> Result<Piece, ApiError> {
        let (mut text, stopped) = self.stops.push(&self.text.rest().map_err(ApiError::failed)?);
        if !stopped {
            text += &self.stops.rest();
        }
        let finish = Some(if stopped { "stop" } else { reason });
        Ok(Piece { text, finish, ..Piece::default() })
    }
}

fn refused(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::Full { retry_after } => ApiError::full(retry_after),
        Refusal::Invalid(text) => ApiError::invalid(text),
        Refusal::Closed => ApiError::closing(),
    }
}
