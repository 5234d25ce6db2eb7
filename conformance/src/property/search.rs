//! Makes inputs up from a seed and shrinks the first that fails.

use std::{
    fmt::Debug,
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

/// How many inputs are tried, from what seed, how many at a time.
#[derive(Debug, Clone, Copy)]
pub struct Search {
    /// Inputs tried.
    pub cases: u32,
    /// Where the random numbers start. The same seed gives the same inputs and the same failure,
    /// however many are tried at a time.
    pub seed: u64,
    /// Tried at a time.
    pub jobs: usize,
}

/// A small input that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counterexample<T> {
    /// The input.
    pub input: T,
    /// What went wrong with it.
    pub why: String,
}

/// What a trial comes to: nothing, or what went wrong.
pub type Trial = Result<(), String>;

/// Inputs that are made up one after the other from one seed of their own.
const BATCH: u32 = 50;

/// Trials spent on making a failing input smaller.
const SHRINKS: u32 = 4096;

/// Milliseconds spent on it: a target that hangs takes the hang guard's time in each trial.
const SHRINK_MILLISECONDS: u32 = 60_000;

impl Search {
    /// Tries inputs of `strategy` until one does not hold; gives that one, made small. Of several the
    /// first in the order of the seed.
    ///
    /// # Errors
    /// A trial could not be done.
    pub fn run<S: Strategy>(
        &self,
        strategy: impl Fn() -> S + Sync,
        holds: impl Fn(&S::Value) -> io::Result<Trial> + Sync,
    ) -> io::Result<Option<Counterexample<S::Value>>>
    where
        S::Value: Debug + Send,
    {
        let batches = self.cases.div_ceil(BATCH);
        let next = AtomicU32::new(0);
        // The failures by batch, and the first trial that could not be done.
        let found = Mutex::new((Vec::new(), None));
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(|| {
                    loop {
                        let batch = next.fetch_add(1, Ordering::Relaxed);
                        if batch >= batches {
                            break;
                        }
                        let result = self.batch(batch, &strategy(), &holds);
                        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                        match result {
                            Ok(None) => continue,
                            Ok(Some(failure)) => found.0.push((batch, failure)),
                            Err(error) => found.1 = Some(error),
                        }
                        // Batches begun before this one are still brought to their end.
                        next.store(batches, Ordering::Relaxed);
                    }
                });
            }
        });
        let (failures, error) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        match error {
            Some(error) => Err(error),
            None => Ok(failures.into_iter().min_by_key(|(batch, _)| *batch).map(|(_, failure)| failure)),
        }
    }

    fn batch<S: Strategy>(
        &self,
        batch: u32,
        strategy: &S,
        holds: &impl Fn(&S::Value) -> io::Result<Trial>,
    ) -> io::Result<Option<Counterexample<S::Value>>> {
        let config = Config {
            cases: BATCH.min(self.cases - batch * BATCH),
            failure_persistence: None,
            max_shrink_iters: SHRINKS,
            max_shrink_time: SHRINK_MILLISECONDS,
            ..Config::default()
        };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..12].copy_from_slice(&batch.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let undone = std::cell::RefCell::new(None);
        let result = TestRunner::new_with_rng(config, rng).run(strategy, |input| {
            if undone.borrow().is_some() {
                return Ok(());
            }
            match holds(&input) {
                Ok(trial) => trial.map_err(TestCaseError::fail),
                Err(error) => {
                    undone.replace(Some(error));
                    Ok(())
                }
            }
        });
        if let Some(error) = undone.into_inner() {
            return Err(error);
        }
        match result {
            Ok(()) => Ok(None),
            Err(TestError::Fail(why, input)) => {
                Ok(Some(Counterexample { input, why: why.message().to_string() }))
            }
            Err(TestError::Abort(why)) => Err(io::Error::other(why.message().to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(seed: u64, jobs: usize) -> Option<Counterexample<Vec<u8>>> {
        let holds = |input: &Vec<u8>| Ok(if input.contains(&7) { Err("seven".into()) } else { Ok(()) });
        let strategy = || proptest::collection::vec(0..50_u8, 0..20);
        Search { cases: 1000, seed, jobs }.run(strategy, holds).unwrap()
    }

    #[test]
    fn a_failure_is_found_and_made_small() {
        let found = search(1, 1).unwrap();
        assert_eq!((found.input, found.why.as_str()), (vec![7], "seven"));
    }

    #[test]
    fn a_seed_tries_the_same_inputs_however_many_at_a_time() {
        let tried = |seed, jobs| {
            let all = Mutex::new(Vec::new());
            let keep = |input: &u64| {
                all.lock().unwrap().push(*input);
                Ok(Ok(()))
            };
            assert_eq!(
                Search { cases: 120, seed, jobs }.run(|| proptest::num::u64::ANY, keep).unwrap(),
                None
            );
            let mut all = all.into_inner().unwrap();
            all.sort_unstable();
            all
        };
        assert_eq!(tried(5, 1), tried(5, 3));
        assert_eq!(tried(5, 1).len(), 120);
        assert_ne!(tried(5, 1), tried(6, 1));
    }

    #[test]
    fn a_trial_that_cannot_be_done_is_an_error() {
        let search = Search { cases: 10, seed: 1, jobs: 2 };
        let error = search.run(|| 0..9_u8, |_| Err(io::Error::other("no disk"))).unwrap_err();
        assert_eq!(error.to_string(), "no disk");
    }
}
