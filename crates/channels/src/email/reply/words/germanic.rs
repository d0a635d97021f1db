//! English, German, Dutch and the languages of the north.

use super::{Language, NONE};

pub(super) const LANGUAGES: &[Language] = &[
    // English
    Language {
        opens: "on |at |mon, |tue, |wed, |thu, |fri, |sat, |sun, |quoting |in message |in article |in reply to |\
            citing |from ",
        said: "wrote|writes|sent|said|has written|sent the following|replied|commented|wrote the following",
        inside: "",
        from: "from|sender|reply from",
        telling: "sent|subject|date sent|sent at|sent on",
        fields: "date|to|cc|bcc|reply-to|reply to|importance|priority|attachments|resent-from|organization|when|\
            message-id|in-reply-to|list-id|delivered-to",
        separators: "original message|forwarded message|original mail|original email|reply message|\
            original message follows|reply above this line|please reply above this line|\
            type your reply above this line|please type your reply above this line|\
            write above this line to reply|forwarded by|begin forwarded message|begin forwarded email|\
            forwarded email|original appointment|reply separator|reply separater|end of reply|\
            original message below|message from original sender",
        devices: "sent from …|sent with …|sent via …|sent using …|get outlook for …|get bluemail for …|\
            get the new outlook …|sent on the go …|sent by …mail|typed on …|from my iphone|from my ipad|\
            sent while mobile|composed on my …|download outlook for …|… sent from my iphone|\
            please excuse …|excuse typos…|excuse my brevity…",
        farewells: "regards|best regards|kind regards|warm regards|many thanks|best|thanks|thank you|cheers|\
            sincerely|yours sincerely|yours truly|yours faithfully|sincerely yours|best wishes|all the best|\
            with kind regards|with best regards|thanks and regards|thanks & regards|thank you and regards|\
            warmly|respectfully|cordially|kindest regards|thanks again|rgds|br|take care|have a nice day",
        disclaimers: "confidentiality notice|this e-mail and any|this email and any|this message and any|\
            this message is intended only|this email is intended only|this e-mail is intended only|\
            this communication is confidential|the information contained in this|the information in this e|\
            the contents of this e|this transmission is|this message contains confidential|\
            this email contains confidential|this e-mail contains confidential|if you are not the intended|\
            this email may contain|this e-mail may contain|this message may contain|disclaimer:|\
            legal notice:|please consider the environment|notice: this e|important notice: this",
    },
    // German
    Language {
        opens: "am |zitat von |zitiere |",
        said: "schrieb|schrieben|geschrieben|schreibt|folgendes geschrieben|schrieb folgendes",
        inside: "schrieb|schreibt|hat|schrieb:",
        from: "von|absender",
        telling: "gesendet|betreff|gesendet am|datum gesendet",
        fields: "datum|an|kopie|cc|antwort an|antworten an|priorität|anlagen|wichtigkeit|blindkopie",
        separators: "ursprüngliche nachricht|originalnachricht|weitergeleitete nachricht|original-nachricht|\
            original-mail|anfang der weitergeleiteten nachricht|ende der weitergeleiteten nachricht|\
            ursprüngliche mail|bitte antworten sie oberhalb dieser linie|originaltermin|original nachricht",
        devices: "gesendet von …|von meinem …|gesendet mit …|von meinem … gesendet|… gesendet|\
            gesendet aus …|diese nachricht wurde von mein… |outlook für …|holen sie sich outlook für …|\
            hol dir outlook für …|diese e-mail wurde von meinem …|gesendet via …|von unterwegs gesendet",
        farewells: "mit freundlichen grüßen|mit freundlichen grüssen|freundliche grüße|freundliche grüsse|\
            viele grüße|viele grüsse|liebe grüße|liebe grüsse|beste grüße|beste grüsse|mfg|lg|vg|gruß|gruss|\
            grüße|schöne grüße|herzliche grüße|mit besten grüßen|mit freundlichem gruß|danke|vielen dank|\
            hochachtungsvoll|mit vielen grüßen|danke und gruß",
        disclaimers: "diese e-mail enthält vertrauliche|diese e-mail und|der inhalt dieser e-mail|\
            diese nachricht ist vertraulich|diese nachricht enthält vertrauliche|diese email enthält|\
            die in dieser e-mail|wenn sie nicht der richtige adressat|sollten sie nicht der|\
            bitte denken sie an die umwelt|bitte prüfen sie, ob|vertraulichkeitshinweis",
    },
    // Dutch
    Language {
        opens: "op |",
        said: "schreef|geschreven|het volgende geschreven|schreef het volgende|heeft geschreven",
        inside: "schreef|heeft",
        from: "van|afzender",
        telling: "verzonden|onderwerp|verstuurd",
        fields: "datum|aan|cc|beantwoorden|antwoord aan|bijlagen|prioriteit",
        separators: "oorspronkelijk bericht|doorgestuurd bericht|origineel bericht|begin doorgestuurd bericht|\
            oorspronkelijke bericht|begin van het doorgestuurde bericht",
        devices: "verzonden vanaf …|verstuurd vanaf …|verzonden met …|verstuurd met …|verzonden via …|\
            outlook voor … downloaden|download outlook voor …|verstuurd vanuit …|outlook voor …",
        farewells: "met vriendelijke groet|met vriendelijke groeten|vriendelijke groet|vriendelijke groeten|\
            groet|groeten|groetjes|mvg|hartelijke groet|hartelijke groeten|bedankt|alvast bedankt|hoogachtend",
        disclaimers: "dit bericht is vertrouwelijk|de informatie in dit|deze e-mail en|dit e-mailbericht|\
            de inhoud van dit|dit bericht kan|denk aan het milieu",
    },
    // Swedish
    Language {
        opens: "den |",
        said: "skrev|skriver|skrev följande|har skrivit",
        inside: "skrev",
        from: "från|avsändare",
        telling: "skickat|ämne|skickades",
        fields: "datum|till|kopia|svara till|prioritet|bilagor",
        separators: "ursprungligt meddelande|originalmeddelande|vidarebefordrat meddelande|\
            vidarebefordrat brev|ursprungligt mail|vidarebefordrat mail|början på vidarebefordrat brev|\
            vidarebefordrat mejl|ursprungligt mejl",
        devices: "skickat från …|skickad från …|skickat med …|hämta outlook för …|skickat via …|\
            skaffa outlook för …|från min iphone",
        farewells: "med vänliga hälsningar|med vänlig hälsning|vänliga hälsningar|vänligen|mvh|hälsningar|\
            hälsning|bästa hälsningar|tack|tack på förhand|tack och hej|allt gott|varma hälsningar",
        disclaimers: "detta e-postmeddelande|detta meddelande är konfidentiellt|denna e-post|\
            detta mejl och eventuella",
    },
    // Danish
    Language {
        opens: "den |",
        said: "skrev|skriver|skrev følgende",
        inside: "skrev",
        from: "fra|afsender",
        telling: "sendt|emne",
        fields: "dato|til|cc|svar til|vedhæftede filer|prioritet",
        separators: "oprindelig meddelelse|videresendt meddelelse|original meddelelse|oprindelig besked|\
            start på videresendt besked|videresendt besked|oprindelig mail|den oprindelige besked",
        devices: "sendt fra …|sendt med …|hent outlook til …|sendt via …|få outlook til …",
        farewells: "med venlig hilsen|venlig hilsen|mvh|hilsen|de bedste hilsner|bedste hilsner|\
            mange hilsner|på forhånd tak|kh|vh|kærlig hilsen|tak",
        disclaimers: "denne e-mail|denne meddelelse er fortrolig|denne mail er fortrolig",
    },
    // Norwegian
    Language {
        opens: "den |på |",
        said: "skrev|skrev følgende|skreiv",
        inside: "skrev|skreiv",
        from: "fra|frå|avsender",
        telling: "sendt|emne",
        fields: "dato|til|kopi|svar til|vedlegg",
        separators: "opprinnelig melding|videresendt melding|opprinneleg melding|videresendt e-post|\
            opprinnelig e-post|start på videresendt melding",
        devices: "sendt fra …|skaff deg outlook for …|hent outlook for …|få outlook for …",
        farewells: "med vennlig hilsen|vennlig hilsen|med vennleg helsing|mvh|hilsen|beste hilsen|\
            på forhånd takk|takk",
        disclaimers: "denne e-posten|denne meldingen er konfidensiell|denne e-post",
    },
    // Icelandic
    Language {
        opens: "þann |",
        said: "skrifaði",
        inside: "skrifaði|reit",
        from: "frá",
        telling: "sent|efni",
        fields: "dagsetning|til|afrit",
        separators: "upprunaleg skilaboð|áframsend skilaboð",
        devices: "sent úr …",
        ..NONE
    },
    // Afrikaans
    Language {
        opens: "op |",
        said: "geskryf",
        inside: "het",
        from: "van",
        telling: "gestuur|onderwerp",
        ..NONE
    },
];
