//! Erlang's formula for waiting (M/M/c), Cobham's for priorities that do not interrupt, and the product form of who is
//! served first come, first served by the longest idle of those who can.

/// Customers a second, how long each takes, and how many serve them.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) per_second: f64,
    pub(crate) seconds: f64,
    pub(crate) agents: u32,
}

impl Load {
    /// How many agents are busy on average.
    fn offered(self) -> f64 {
        self.per_second * self.seconds
    }

    /// Erlang C, by way of the recursion for Erlang B, which stays within the range of numbers.
    pub(crate) fn probability_of_waiting(self) -> f64 {
        let offered = self.offered();
        let blocked = (1..=self.agents)
            .fold(1.0, |blocked, agents| offered * blocked / (f64::from(agents) + offered * blocked));
        let agents = f64::from(self.agents);
        agents * blocked / (agents - offered * (1.0 - blocked))
    }

    pub(crate) fn mean_wait(self) -> f64 {
        self.probability_of_waiting() * self.seconds / (f64::from(self.agents) - self.offered())
    }

    pub(crate) fn served_within(self, seconds: f64) -> f64 {
        let pace = (f64::from(self.agents) - self.offered()) / self.seconds;
        1.0 - self.probability_of_waiting() * (-pace * seconds).exp()
    }

    /// Of two kinds of customers, the first of whom goes first; `shares` of all are of each kind.
    pub(crate) fn mean_waits_by_priority(self, shares: [f64; 2]) -> [f64; 2] {
        let agents = f64::from(self.agents);
        let first = self.offered() * shares[0] / agents;
        let all = self.offered() * (shares[0] + shares[1]) / agents;
        let base = self.probability_of_waiting() * self.seconds / agents;
        [base / (1.0 - first), base / ((1.0 - first) * (1.0 - all))]
    }
}

/// How long each line waits, where agents serve some lines each, all at the same pace, whoever came first is served
/// first, and the longest idle agent of those who can serves. `rates` are customers a second of each line, `serves` the
/// lines of each agent.
///
/// Adan and Weiss, *A skill based parallel service system under FCFS-ALIS* (Stochastic Systems 4, 2014), theorem 2.1. A
/// state is an order of all agents, the busy ones first in the order of the customers whom they serve, with so many
/// customers waiting behind each of them whom nobody behind could serve.
pub(crate) fn mean_waits_by_skill(rates: &[f64], serves: &[Vec<usize>], seconds: f64) -> Vec<f64> {
    let rate_of = |lines: &dyn Fn(usize) -> bool| -> f64 {
        rates.iter().enumerate().filter(|(line, _)| lines(*line)).map(|(_, rate)| rate).sum()
    };
    let served_by = |agents: &[usize], line: usize| agents.iter().any(|agent| serves[*agent].contains(&line));
    let (mut whole, mut waiting) = (0.0, vec![0.0; rates.len()]);
    for order in orders(serves.len()) {
        for busy in 0..=order.len() {
            // Those of a line that none of the agents behind serves.
            let load = |place: usize| {
                let alone = rate_of(&|line| !served_by(&order[place..], line));
                alone * seconds / place as f64
            };
            let mut weight = 1.0;
            for place in 1..=busy {
                assert!(load(place) < 1.0, "there are too few agents");
                weight *= seconds / place as f64 / (1.0 - load(place));
            }
            for place in busy..order.len() {
                weight /= rate_of(&|line| served_by(&order[place..], line));
            }
            whole += weight;
            for place in 1..=busy {
                let behind = weight * load(place) / (1.0 - load(place));
                let alone = rate_of(&|line| !served_by(&order[place..], line));
                for (line, waiting) in waiting.iter_mut().enumerate() {
                    if !served_by(&order[place..], line) {
                        *waiting += behind * rates[line] / alone;
                    }
                }
            }
        }
    }
    // Little's law.
    waiting.iter().zip(rates).map(|(waiting, rate)| waiting / whole / rate).collect()
}

/// All orders of so many.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let insert =
        |order: Vec<usize>| (0..count).map(move |place| [&order[..place], &[last], &order[place..]].concat());
    orders(last).into_iter().flat_map(insert).collect()
}

#[test]
fn where_everyone_serves_all_the_product_form_is_erlangs() {
    let load = Load { per_second: 0.02, seconds: 180.0, agents: 5 };
    let waits = mean_waits_by_skill(&[0.015, 0.005], &vec![vec![0, 1]; 5], load.seconds);
    for wait in waits {
        assert!((wait - load.mean_wait()).abs() < 1e-9, "{wait} is not {}", load.mean_wait());
    }
}
