//! The words that stop messages, let them come again, and ask who sends them.
//!
//! A message counts as one if it is nothing but the word. English words count everywhere; besides, those of the languages
//! that are spoken in a country. The United States and Canada have a list of their own (CTIA, *Messaging Principles and
//! Best Practices* §5.1.3; 47 CFR 64.1200(a)(10)), in which common words such as `END` mean a stop, and nowhere else.

use crate::Region;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    Stop,
    Start,
    Help,
}

/// The words of one inbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Words {
    /// Folded.
    stop: Vec<String>,
    start: Vec<String>,
    help: Vec<String>,
}

const EVERYWHERE: [&[&str]; 3] = [
    &["stop", "stopall", "stop all", "unsubscribe", "optout", "opt out"],
    &["start", "unstop"],
    &["help", "info"],
];

const NORTH_AMERICA: [&[&str]; 3] = [&["cancel", "end", "quit", "revoke"], &[], &[]];

/// Languages by name, with their words to stop, to start and for help.
const LANGUAGES: [(&str, [&[&str]; 3]); 28] = [
    ("ar", [&["توقف", "إيقاف", "ايقاف", "قف"], &["ابدأ", "ابدا"], &["مساعدة"]]),
    ("bg", [&["стоп", "спри"], &["старт"], &["помощ"]]),
    ("cs", [&["stop", "odhlásit", "zrušit"], &["start"], &["pomoc"]]),
    ("da", [&["stop", "afmeld", "frameld"], &["start", "tilmeld"], &["hjælp"]]),
    ("de", [&["stopp", "abmelden", "abbestellen"], &["start", "anmelden"], &["hilfe"]]),
    ("el", [&["στοπ", "διακοπή"], &["έναρξη"], &["βοήθεια"]]),
    ("es", [&["alto", "parar", "baja", "cancelar"], &["alta", "iniciar"], &["ayuda"]]),
    ("fi", [&["seis", "lopeta", "peruuta"], &["aloita"], &["apua", "ohje"]]),
    (
        "fr",
        [
            &["arrêt", "arret", "arreter", "arrêter", "désabonner", "desabonner"],
            &["début", "debut"],
            &["aide"],
        ],
    ),
    ("he", [&["הסר", "הסרה", "עצור"], &["התחל"], &["עזרה"]]),
    ("hi", [&["रोकें", "बंद"], &["शुरू"], &["मदद"]]),
    ("hr", [&["stop", "odjava"], &["start", "prijava"], &["pomoć"]]),
    ("hu", [&["stop", "leiratkozás", "állj"], &["start", "indul"], &["segítség"]]),
    ("id", [&["berhenti"], &["mulai"], &["bantuan"]]),
    ("it", [&["fermare", "annulla", "disiscrivi"], &["inizia"], &["aiuto"]]),
    ("ja", [&["停止", "配信停止", "解除"], &["開始", "再開"], &["ヘルプ"]]),
    ("ko", [&["수신거부", "중지"], &["시작"], &["도움말"]]),
    ("nl", [&["afmelden", "uitschrijven"], &["aanmelden"], &["hulp"]]),
    ("no", [&["stopp", "avslutt"], &["start"], &["hjelp"]]),
    ("pl", [&["rezygnuję", "rezygnuje", "wypisz"], &["start"], &["pomoc"]]),
    ("pt", [&["parar", "sair", "cancelar"], &["iniciar", "começar"], &["ajuda"]]),
    ("ro", [&["stop", "dezabonare"], &["start"], &["ajutor"]]),
    ("ru", [&["стоп", "отписаться"], &["старт"], &["помощь"]]),
    ("sv", [&["stopp", "avsluta"], &["starta"], &["hjälp"]]),
    ("tr", [&["dur", "iptal", "ret"], &["başla"], &["yardım"]]),
    ("uk", [&["стоп", "відписатися"], &["старт"], &["допомога"]]),
    ("vi", [&["dừng", "huỷ", "hủy"], &["bắt đầu"], &["trợ giúp"]]),
    ("zh", [&["退订", "退訂", "td", "取消订阅", "停止"], &["开始", "開始", "订阅"], &["帮助", "幫助"]]),
];

/// Which languages' words count in a country. A country that is missing has the words that count everywhere.
const COUNTRIES: [(&str, &[&str]); 59] = [
    ("AE", &["ar"]),
    ("AR", &["es"]),
    ("AT", &["de"]),
    ("BA", &["hr"]),
    ("BE", &["nl", "fr", "de"]),
    ("BG", &["bg"]),
    ("BR", &["pt"]),
    ("CA", &["fr"]),
    ("CH", &["de", "fr", "it"]),
    ("CL", &["es"]),
    ("CN", &["zh"]),
    ("CO", &["es"]),
    ("CR", &["es"]),
    ("CY", &["el", "tr"]),
    ("CZ", &["cs"]),
    ("DE", &["de"]),
    ("DK", &["da"]),
    ("DZ", &["ar", "fr"]),
    ("EC", &["es"]),
    ("EG", &["ar"]),
    ("ES", &["es"]),
    ("FI", &["fi", "sv"]),
    ("FR", &["fr"]),
    ("GR", &["el"]),
    ("HK", &["zh"]),
    ("HR", &["hr"]),
    ("HU", &["hu"]),
    ("ID", &["id"]),
    ("IL", &["he", "ar"]),
    ("IN", &["hi"]),
    ("IT", &["it", "de"]),
    ("JP", &["ja"]),
    ("KR", &["ko"]),
    ("KZ", &["ru"]),
    ("LI", &["de"]),
    ("LU", &["fr", "de"]),
    ("MA", &["ar", "fr"]),
    ("MD", &["ro", "ru"]),
    ("MX", &["es"]),
    ("NL", &["nl"]),
    ("NO", &["no"]),
    ("PE", &["es"]),
    ("PL", &["pl"]),
    ("PR", &["es"]),
    ("PT", &["pt"]),
    ("RO", &["ro"]),
    ("RS", &["hr"]),
    ("RU", &["ru"]),
    ("SA", &["ar"]),
    ("SE", &["sv"]),
    ("SG", &["zh"]),
    ("SK", &["cs"]),
    ("TN", &["ar", "fr"]),
    ("TR", &["tr"]),
    ("TW", &["zh"]),
    ("UA", &["uk"]),
    ("US", &["es"]),
    ("UY", &["es"]),
    ("VN", &["vi"]),
];

impl Default for Words {
    fn default() -> Self {
        Words::of(None)
    }
}

impl Words {
    /// The words of a country; without one, those that count everywhere.
    pub fn of(region: Option<Region>) -> Words {
        let mut words = Words { stop: Vec::new(), start: Vec::new(), help: Vec::new() };
        words.add(EVERYWHERE);
        let Some(code) = region.map(Region::code) else { return words };
        if ["US", "CA", "PR"].contains(&code.as_str()) {
            words.add(NORTH_AMERICA);
        }
        let spoken =
            COUNTRIES.iter().find(|(country, _)| *country == code).map_or(&[][..], |(_, spoken)| spoken);
        for (_, of_language) in LANGUAGES.iter().filter(|(language, _)| spoken.contains(language)) {
            words.add(*of_language);
        }
        words
    }

    /// None of them: for an inbox whose provider sees to that.
    pub fn none() -> Words {
        Words { stop: Vec::new(), start: Vec::new(), help: Vec::new() }
    }

    /// Counts this word as well, as it is written or in any case.
    pub fn with(mut self, meaning: Word, word: &str) -> Words {
        let words = match meaning {
            Word::Stop => &mut self.stop,
            Word::Start => &mut self.start,
            Word::Help => &mut self.help,
        };
        words.push(folded(word));
        self
    }

    /// What a message means that is nothing but one of the words.
    pub fn meaning(&self, text: &str) -> Option<Word> {
        // Longer ones are never looked at.
        if text.len() > 200 {
            return None;
        }
        let text = folded(text);
        let is_in = |words: &[String]| !text.is_empty() && words.contains(&text);
        [(Word::Stop, &self.stop), (Word::Start, &self.start), (Word::Help, &self.help)]
            .into_iter()
            .find_map(|(meaning, words)| is_in(words).then_some(meaning))
    }

    fn add(&mut self, [stop, start, help]: [&[&str]; 3]) {
        for (words, more) in [(&mut self.stop, stop), (&mut self.start, start), (&mut self.help, help)] {
            words.extend(more.iter().map(|word| folded(word)));
        }
    }
}

/// In lower case, without what stands around it, and with single spaces. A Turkish `I` without a dot, and one with, count
/// as `i`: nothing depends on the difference.
fn folded(text: &str) -> String {
    let bare = text.trim_matches(|c: char| !c.is_alphanumeric() && !is_mark(c));
    let lower = bare.to_lowercase().replace('\u{307}', "").replace('ı', "i");
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A vowel sign or the like, which belongs to the letter before it.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{dff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(region: &str, text: &str) -> Option<Word> {
        Words::of(region.parse().ok()).meaning(text)
    }

    #[test]
    fn a_word_counts_however_it_is_written_and_only_alone() {
        for text in ["STOP", "stop", " Stop. ", "\"stop\"", "STOP!!", "stop  all", "Stopp", "ABMELDEN"] {
            assert_eq!(meaning("DE", text), Some(Word::Stop), "{text}");
        }
        for text in
            ["please stop", "stop it", "bus stop", "", "!", "stop? I do not want that", "end", "cancel"]
        {
            assert_eq!(meaning("DE", text), None, "{text}");
        }
        assert_eq!(meaning("DE", "Start"), Some(Word::Start));
        assert_eq!(meaning("DE", "Hilfe"), Some(Word::Help));
        assert_eq!(meaning("DE", &"stop ".repeat(1_000)), None);
    }

    #[test]
    fn every_country_has_the_words_of_its_languages() {
        for (region, text) in [
            ("US", "END"),
            ("CA", "Arrêt"),
            ("US", "REVOKE"),
            ("US", "baja"),
            ("FR", "ARRET"),
            ("MX", "ALTO"),
            ("BR", "Sair"),
            ("TR", "İPTAL"),
            ("TR", "DUR"),
            ("RU", "СТОП"),
            ("GR", "ΣΤΟΠ"),
            ("IL", "הסר"),
            ("EG", "توقف"),
            ("CN", "退订"),
            ("JP", "停止"),
            ("KR", "수신거부"),
            ("IN", "रोकें"),
            ("CH", "arrêter"),
            ("VN", "DỪNG"),
            ("ZA", "stop"),
        ] {
            assert_eq!(meaning(region, text), Some(Word::Stop), "{region} {text}");
        }
        assert_eq!(meaning("FR", "стоп"), None);
        assert_eq!(meaning("", "stopp"), None);
    }

    #[test]
    fn every_language_is_spoken_somewhere_and_every_spoken_one_has_words() {
        for (language, words) in LANGUAGES {
            assert!(COUNTRIES.iter().any(|(_, spoken)| spoken.contains(&language)), "{language}");
            assert!(words.iter().all(|words| !words.is_empty()), "{language}");
        }
        for (country, spoken) in COUNTRIES {
            assert!(country.parse::<Region>().is_ok(), "{country}");
            for language in spoken {
                assert!(LANGUAGES.iter().any(|(known, _)| known == language), "{language}");
            }
        }
    }

    #[test]
    fn an_inbox_has_words_of_its_own_or_none() {
        let words = Words::none().with(Word::Stop, "Genug!");
        assert_eq!(words.meaning("genug"), Some(Word::Stop));
        assert_eq!(words.meaning("stop"), None);
    }
}
