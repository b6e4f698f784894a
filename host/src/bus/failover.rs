//! An answer that outlives its card.

use super::BusCard;
use crate::{
    Error,
    card::{CardModel, CardRunner},
    runner::Feed,
};
use terntable_golden::{
    card::image::Image,
    head::{Candidate, HeadMode},
};

/// Resets of a card in one run; one that needs more is left alone.
const RESETS: u32 = 3;

/// Makes the feed that takes over.
pub type Spare<'a> = Box<dyn FnMut() -> Result<Box<dyn Feed>, Error> + 'a>;

/// One sequence on a card, and on something else when the card fails: what was fed is fed again there, and
/// since every device has the same bits, the answer goes on as if nothing had been.
///
/// A failure costs the card a reset, a new image and all tokens so far. If that does not help it is marked
/// down.
pub struct Failover<'a> {
    card: Option<CardRunner<BusCard>>,
    image: Image,
    head: HeadMode,
    spare: Option<Spare<'a>>,
    taken_over: Option<Box<dyn Feed>>,
    fed: Vec<u32>,
    resets: u32,
    note: &'a dyn Fn(&str),
}

impl<'a> Failover<'a> {
    /// Loads an image; a card that does not take it is down. Without a spare its last error ends the run.
    /// Calls `note` with what happens to the card.
    pub fn open(
        card: BusCard,
        image: Image,
        head: HeadMode,
        spare: Option<Spare<'a>>,
        note: &'a dyn Fn(&str),
    ) -> Result<Self, Error> {
        let runner = CardModel::open(card, &image).and_then(|model| CardRunner::new(model, head));
        let (taken_over, fed) = (None, Vec::new());
        let mut this = Self { card: None, image, head, spare, taken_over, fed, resets: 0, note };
        match runner {
            Ok(runner) => this.card = Some(runner),
            Err(error) if is_cards(&error) => this.take_over(error)?,
            Err(error) => return Err(error),
        }
        Ok(this)
    }

    /// The card, while it works.
    pub fn card(&mut self) -> Option<&mut BusCard> {
        self.card.as_mut().map(|runner| runner.model().card())
    }

    /// Resets the card, loads the image and feeds what was fed.
    fn revive(&mut self, runner: CardRunner<BusCard>) -> Result<CardRunner<BusCard>, Error> {
        let mut card = runner.into_model().into_card();
        card.reset()?;
        let mut runner = CardRunner::new(CardModel::open(card, &self.image)?, self.head)?;
        runner.feed(&self.fed, 0, &mut |_| {})?;
        Ok(runner)
    }

    /// The card failed for good.
    fn take_over(&mut self, error: Error) -> Result<(), Error> {
        let Some(mut spare) = self.spare.take() else { return Err(error) };
        (self.note)(&format!("{error}; the card is down, the answer goes on on the CPU"));
        let mut feed = spare()?;
        feed.feed(&self.fed, 0, &mut |_| {})?;
        self.taken_over = Some(feed);
        Ok(())
    }

    fn feed_somewhere(
        &mut self,
        tokens: &[u32],
        wanted: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<Candidate>>, Error> {
        let mut again = true;
        while let Some(mut runner) = self.card.take() {
            match runner.feed(tokens, wanted, progress) {
                Err(error) if is_cards(&error) && again && self.resets < RESETS => {
                    again = false;
                    (self.note)(&format!("{error}; the card is reset and loaded again"));
                    self.resets += 1;
                    match self.revive(runner) {
                        Ok(runner) => self.card = Some(runner),
                        Err(error) => self.take_over(error)?,
                    }
                }
                Err(error) if is_cards(&error) => self.take_over(error)?,
                result => {
                    self.card = Some(runner);
                    return result;
                }
            }
        }
        match &mut self.taken_over {
            Some(feed) => feed.feed(tokens, wanted, progress),
            None => Err(Error::Card("the card is down, and nothing may take over".into())),
        }
    }
}

/// Whether an error is the card's, not that of the tokens.
fn is_cards(error: &Error) -> bool {
    matches!(error, Error::Driver(_) | Error::Card(_))
}

impl Feed for Failover<'_> {
    fn context(&self) -> usize {
        self.image.header.config.context
    }

    fn position(&self) -> usize {
        self.fed.len()
    }

    fn restart(&mut self) {
        self.fed.clear();
        if let Some(runner) = &mut self.card {
            runner.restart();
        }
        if let Some(feed) = &mut self.taken_over {
            feed.restart();
        }
    }

    fn feed(
        &mut self,
        tokens: &[u32],
        wanted: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<Candidate>>, Error> {
        let ranked = self.feed_somewhere(tokens, wanted, progress)?;
        self.fed.extend_from_slice(tokens);
        Ok(ranked)
    }
}
