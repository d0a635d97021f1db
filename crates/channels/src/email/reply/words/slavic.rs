//! Slavic, Baltic and Finno-Ugric languages, and Greek.

use super::{Language, NONE};

pub(super) const LANGUAGES: &[Language] = &[
    // Polish
    Language {
        opens: "w dniu |dnia |pon., |wt., |śr., |czw., |pt., |sob., |niedz., |pon. |wt. |śr. |czw. |pt. |sob. |\
            niedz. |wiadomość napisana |użytkownik |cytowanie ",
        said: "napisał|napisała|napisał(a)|napisał/a|pisze|napisali|pisał|napisał(-a)|napisał (a)|napisał(a",
        inside: "napisał|napisała|napisał(a)|napisana|użytkownik",
        from: "od|nadawca|from",
        telling: "wysłano|temat|wysłane|data wysłania|wysłany",
        fields: "data|do|dw|kopia|odpowiedz do|załączniki|udw|ważność",
        separators: "wiadomość oryginalna|oryginalna wiadomość|wiadomość przekazana|przekazana wiadomość|\
            początek przekazywanej wiadomości|treść oryginalnej wiadomości|wiadomość pierwotna|\
            treść przekazanej wiadomości|wiadomość oryg.|początek przekazanej wiadomości",
        devices: "wysłane z …|wysłano z …|wysłane przez …|pobierz outlook dla …|wysłane za pomocą …|\
            pobierz aplikację outlook …|uzyskaj outlook dla …|uzyskaj aplikację outlook …|wysłano za pomocą …",
        farewells: "pozdrawiam|z poważaniem|pozdrowienia|serdecznie pozdrawiam|z wyrazami szacunku|dziękuję|\
            pozdrawiam serdecznie|dzięki|z góry dziękuję|łączę pozdrowienia|z pozdrowieniami|\
            miłego dnia|pozdr|pozdr.",
        disclaimers: "ta wiadomość|niniejsza wiadomość|treść tej wiadomości|informacje zawarte w|\
            ten e-mail|pomyśl o środowisku",
    },
    // Russian
    Language {
        opens: "в |пн, |вт, |ср, |чт, |пт, |сб, |вс, |понедельник, |вторник, |среда, |четверг, |пятница, |\
            суббота, |воскресенье, |здравствуйте, |вы писали |цитирую |от |",
        said: "написал|написал(а)|написала|пишет|писал|писал(а)|писали|написали|вы писали|отправил|\
            пишет следующее|сообщил",
        inside: "написал|написала|пишет|написал(а)|от|писал|вы писали",
        from: "от|отправитель|от кого|кто",
        telling: "отправлено|тема|отправлен|дата отправки|послано|отослано",
        fields: "дата|кому|копия|ответить|ответ|важность|вложения|когда|обратный адрес",
        separators: "исходное сообщение|пересылаемое сообщение|пересланное сообщение|оригинальное сообщение|\
            начало переадресованного сообщения|начало пересылаемого сообщения|перенаправленное сообщение|\
            конец пересылаемого сообщения|первоначальное сообщение|переадресованное сообщение|\
            исходное письмо|завершение пересылаемого сообщения|конец переадресованного сообщения",
        devices: "отправлено с …|отправлено из …|отправлено через …|получить outlook для …|послано с …|\
            скачать outlook для …|отправлено от …|отправлено с помощью …|с моего iphone|написано с …",
        farewells: "с уважением|с наилучшими пожеланиями|спасибо|всего доброго|всего хорошего|благодарю|\
            с наилучшими|хорошего дня|до свидания|заранее спасибо|искренне ваш|с благодарностью|\
            заранее благодарю|спасибо большое",
        disclaimers: "данное сообщение|это сообщение|настоящее сообщение|это электронное|\
            информация, содержащаяся в|данное письмо|настоящее электронное",
    },
    // Ukrainian
    Language {
        opens: "в |у |пн, |вт, |ср, |чт, |пт, |сб, |нд, |",
        said: "пише|написав|написав(-ла)|написала|писав|писала|написали|написав(ла)|пишe|пише таке",
        inside: "написав|написала|пише|від",
        from: "від|відправник|від кого",
        telling: "надіслано|тема|відправлено|надісланo",
        fields: "дата|кому|копія|відповісти|до|відповідь|важливість",
        separators: "оригінальне повідомлення|переслане повідомлення|пересилання|початкове повідомлення|\
            початок переадресованого повідомлення|вихідне повідомлення|перенаправлене повідомлення",
        devices: "надіслано з …|відправлено з …|надіслано за допомогою …|отримати outlook для …|\
            завантажити outlook для …|надіслано через …",
        farewells: "з повагою|дякую|щиро дякую|з найкращими побажаннями|гарного дня|всього найкращого|\
            щиро ваш|до побачення|дуже дякую",
        disclaimers: "це повідомлення|цей електронний лист|інформація, що міститься",
    },
    // Belarusian, Bulgarian, Serbian and Macedonian
    Language {
        opens: "на |дана |",
        said: "піша|напісаў|написа|написа(л)|написао|написао/ла|је написао|је написао/ла|напиша|је написала",
        inside: "написа|је|написао",
        from: "от|од|ад|шаље",
        telling: "изпратено|относно|тема|послато|наслов|предмет|пратено",
        fields: "дата|до|датум|за|копие|копия|кому|коме|примач",
        separators: "оригинално съобщение|препратено съобщение|оригинална порука|прослеђена порука|\
            препратена порака|препратено писмо",
        devices: "изпратено от …|послато са …|пратено од …|изпратено с …",
        farewells: "поздрави|с уважение|поздрав|срдачан поздрав|благодаря|хвала|поздрави,",
        ..NONE
    },
    // Croatian, Bosnian, Slovenian
    Language {
        opens: "dana |v v |u |pon, |uto, |sri, |čet, |pet, |sub, |ned, |",
        said: "napisao|napisala|napisao je|napisala je|napisao/la|je napisao|je napisala|napisal|\
            je napisao/la|je napisao/la sljedeće|je napisal|je napisal/a|piše|napisao/la je|napisal/a",
        inside: "je|napisao|napisala|oseba",
        from: "od|šalje|pošiljatelj|pošiljalac|pošiljatelj/ica",
        telling: "poslano|predmet|naslov|zadeva|tema|poslato",
        fields: "datum|za|prima|primatelj|kopija|do|kp|v vednost",
        separators: "izvorna poruka|proslijeđena poruka|originalna poruka|prosleđena poruka|\
            izvirno sporočilo|posredovano sporočilo",
        devices: "poslano s …|poslano z …|poslano iz …|poslato sa …",
        farewells: "srdačan pozdrav|pozdrav|lijep pozdrav|lep pozdrav|s poštovanjem|hvala|lp|s spoštovanjem",
        ..NONE
    },
    // Czech and Slovak
    Language {
        opens: "dne |dňa |po |út |st |čt |pá |so |ne |ut |št |pi |",
        said: "napsal|napsal(a)|napsala|napsal/a|píše|napísal|napísal(a)|napísala|napísal/a|napísal(-a)|\
            napsal (a)|napsal(-a)|napísal/-a",
        inside: "napsal|napsala|odesílatel|používateľ|napísal|uživatel",
        from: "od|odesílatel|odosielateľ|odesilatel",
        telling: "odesláno|předmět|odoslané|predmet|odeslané|odeslano|věc",
        fields: "datum|komu|pro|kopie|kópia|dátum|adresát|kopia|skrytá|příloha|přílohy",
        separators: "původní zpráva|přeposlaná zpráva|pôvodná správa|preposlaná správa|původní e-mail|\
            začátek přeposlané zprávy|začiatok preposlanej správy|předaná zpráva|přeposlaný e-mail|\
            původní mail|puvodni zprava",
        devices: "odesláno z …|odoslané z …|odesláno pomocí …|získat outlook pro …|získať outlook pre …|\
            získejte outlook pro …|odesláno přes …|stáhnout outlook pro …",
        farewells: "s pozdravem|s přátelským pozdravem|s úctou|děkuji|hezký den|s pozdravom|ďakujem|zdravím|\
            díky|děkuji a přeji hezký den|pěkný den|s priateľským pozdravom|předem děkuji|pozdrav",
        disclaimers: "tato zpráva|tento e-mail|obsah této zprávy|táto správa|informace obsažené",
    },
    // Finnish
    Language {
        opens: "ma |ti |ke |to |pe |la |su |käyttäjä |",
        said: "kirjoitti|kirjoitti seuraavaa|kirjoitti viestin|kirjoittaa",
        inside: "kirjoitti",
        from: "lähettäjä|keneltä",
        telling: "lähetetty|aihe|lähetysaika|otsikko",
        fields: "päiväys|päivämäärä|vastaanottaja|kopio|kenelle|pvm|vastausosoite|liitteet",
        separators: "alkuperäinen viesti|välitetty viesti|alkuperäinen sähköposti|edelleenlähetetty viesti|\
            välitetty viesti alkaa|lainattu viesti",
        devices: "lähetetty …|hanki outlook …|lähetetty iphonesta|lataa outlook …",
        farewells: "ystävällisin terveisin|terveisin|parhain terveisin|t|terv|kiitos|yst. terv|\
            yt|kiitoksia|terveiset|hyvää päivänjatkoa|kiitos etukäteen|ystävällisesti",
        disclaimers: "tämä viesti|tämä sähköposti",
    },
    // Hungarian
    Language {
        opens: "ekkor: |",
        said: "írta|ezt írta|írta a következőt|írja|a következőt írta|ezt írta (időpont",
        inside: "ezt írta|keltezéssel|írta",
        from: "feladó|küldő",
        telling: "elküldve|tárgy|küldve|küldés dátuma",
        fields: "dátum|címzett|másolat|másolatot kap|kinek|válaszcím",
        separators: "eredeti üzenet|továbbított üzenet|eredeti levél|továbbított levél|\
            továbbított üzenet kezdete",
        devices: "…-ról küldve|…-ról küldve.|az outlook … letöltése|küldve …|szerezze be az outlook …",
        farewells: "üdvözlettel|tisztelettel|köszönettel|üdv|köszönöm|barátsággal|köszönöm szépen|\
            további szép napot",
        ..NONE
    },
    // Estonian, Latvian, Lithuanian
    Language {
        opens: "kuupäeval |",
        said: "kirjutas|rakstīja|rašė|kirjutas järgmist|kirjutas kuupäeval",
        inside: "kirjutas|lietotājs|rakstīja|rašė",
        from: "saatja|no|nuo|sūtītājs|siuntėjas",
        telling: "saadetud|teema|nosūtīts|temats|tēma|išsiųsta|tema",
        fields: "kuupäev|saaja|kam|datums|data|kopija|koopia|gavėjas|adresāts",
        separators: "algne kiri|edastatud kiri|sākotnējais ziņojums|pārsūtīts ziņojums|pradinis laiškas|\
            persiųstas laiškas|algne sõnum|edastatud sõnum|pārsūtīta ziņa|persiųstas pranešimas",
        farewells: "lugupidamisega|tervitades|ar cieņu|pagarbiai|aitäh|paldies|ačiū|parimate soovidega",
        ..NONE
    },
    // Greek
    Language {
        opens: "στις |την |ο χρήστης |",
        said: "έγραψε|έγραψαν|έγραψε τα εξής|εγραψε",
        inside: "έγραψε",
        from: "από|αποστολέας",
        telling: "στάλθηκε|θέμα|εστάλη|αποστολή",
        fields: "ημερομηνία|προς|κοιν.|κοινοποίηση|προσ",
        separators: "αρχικό μήνυμα|προωθημένο μήνυμα|έναρξη προωθημένου μηνύματος|πρωτότυπο μήνυμα",
        devices: "στάλθηκε από …|λήψη outlook για …|αποστολή από …|αποκτήστε το outlook για …",
        farewells: "με εκτίμηση|ευχαριστώ|φιλικά|χαιρετισμούς|με φιλικούς χαιρετισμούς|σας ευχαριστώ",
        ..NONE
    },
];
