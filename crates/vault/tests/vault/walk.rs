//! Three processes on one key store do what comes, in an order drawn from a seed: seal, erase, open what any of them
//! sealed. Whatever they do:
//!
//! - `readable_or_erased`: what was sealed opens, unless its party was erased since, and then it never opens again;
//! - `generations_count_up`: a key is one generation above what was erased before it, and stays until it is erased;
//! - `same_for_all`: no process sees another party's state than the others.

use std::time::Duration;

use vault::{Opened, Subject, Vault};

use crate::{ITEM, Place, SECRET, everywhere, plain, subject};

const STEPS: usize = 400;
const PARTIES: usize = 6;
/// Kept for ever, for what they once found or might.
const SEEDS: [u64; 4] = [1, 7, 20, 1_009];

/// Marsaglia's xorshift: enough to choose what comes next.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// What must be so of a party.
struct Known {
    subject: Subject,
    erased_through: u32,
    /// Of the key that stands, if one does.
    standing: Option<u32>,
    sealed: Vec<Vec<u8>>,
}

#[tokio::test]
async fn whatever_processes_do_what_is_sealed_stays_readable_until_it_is_erased() {
    for place in everywhere().await {
        for seed in SEEDS {
            let place = place.another().await;
            eprintln!("seed {seed} on {}", place.keys());
            walk(&place, Dice(seed)).await;
        }
    }
}

async fn walk(place: &Place, mut dice: Dice) {
    // Without a lease, so that each process sees at once what another did.
    let open = || place.open_with_lease(Duration::ZERO);
    let mut vaults = [open(), open(), open()];
    let mut parties: Vec<Known> = (0..PARTIES)
        .map(|n| Known {
            subject: subject(&vaults[0], &n.to_string()),
            erased_through: 0,
            standing: None,
            sealed: Vec::new(),
        })
        .collect();
    for _ in 0..STEPS {
        let at = dice.below(vaults.len());
        let vault = &vaults[at];
        let party = &mut parties[dice.below(PARTIES)];
        match dice.below(20) {
            0..9 => {
                let sealed = vault.seal(&party.subject, &ITEM, SECRET).await.unwrap();
                let generation = Vault::generation(&sealed).unwrap();
                assert_eq!(
                    generation,
                    party.standing.unwrap_or(party.erased_through + 1),
                    "generations_count_up"
                );
                party.standing = Some(generation);
                party.sealed.push(sealed);
            }
            9..13 => {
                let through = vault.erase(&party.subject).await.unwrap();
                party.erased_through = party.standing.take().unwrap_or(party.erased_through);
                assert_eq!(through, party.erased_through, "same_for_all");
            }
            13..19 => {
                if !party.sealed.is_empty() {
                    look(vault, party, dice.below(party.sealed.len())).await;
                }
            }
            _ => vaults[at] = open(),
        }
    }
    for party in &parties {
        for at in 0..party.sealed.len() {
            look(&vaults[at % vaults.len()], party, at).await;
        }
    }
}

async fn look(vault: &Vault, party: &Known, at: usize) {
    let sealed = &party.sealed[at];
    let expected = match Vault::generation(sealed).unwrap() <= party.erased_through {
        true => Opened::Erased,
        false => plain(SECRET),
    };
    let opened = vault.open_sealed(&party.subject, &ITEM, sealed).await.unwrap();
    assert_eq!(opened, expected, "readable_or_erased");
}
