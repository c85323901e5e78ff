/** What the page says, in both languages; {name} is filled in. */

const TEXTS = {
  ja: {
    title: "書き取り ― 手書きの字を読み、書き方を確かめる",
    views: "画面",
    language: "言語",
    recognise: "字を調べる",
    practise: "練習する",
    pad: "字を書く枠。マウス、指、ペンで一字書いてください。{count}画書きました。",
    hint: "ここに一字書いてください",
    copyHint: "お手本の字をここに書いてください",
    undo: "一画戻す",
    undoKey: "Ctrl+Z",
    clear: "消す",
    clearKey: "Esc",
    open: "画像を開く",
    candidates: "候補",
    loading: "読み込んでいます…",
    alphabet: "文字の種類",
    "alphabet-all": "すべて",
    "alphabet-hiragana": "ひらがな",
    "alphabet-katakana": "カタカナ",
    "alphabet-joyo": "常用漢字とかな",
    "alphabet-latin": "英数字",
    "alphabet-digits": "数字",
    prior: "文章によく出る字を優先",
    tips: "候補を押すか、数字キー 1〜9、0 を押すとコピーします。一字の画像をドロップしたり、貼り付けたりもできます。",
    tile: "{character}、{percent}。押すとコピーします",
    reads: "「{character}」と読みました（{percent}）。",
    perhaps: "「{character}」でしょうか（{percent}）。違うときは、一字だけ、大きくはっきり書いてみてください。",
    unsure: "はっきりしません。候補にない字かもしれません。一字だけ、大きくはっきり書いてみてください。",
    copied: "「{character}」をコピーしました。",
    notCopied: "コピーできませんでした。この字を選んでコピーしてください：{character}",
    character: "練習する字",
    strokeRange: "画数",
    fewest: "少なくとも何画",
    most: "多くとも何画",
    random: "おまかせ",
    show: "書き順を見る",
    trace: "なぞり書き",
    check: "確かめる",
    recent: "最近練習した字",
    model: "「{character}」の書き方、{count}画",
    ordered: "{count}画。書き順は KanjiVG によります。",
    unordered: "{count}画。書き順と筆の向きは確かめません。このお手本はフォントの形をなぞったもので、番号は正しい書き順とは限らないためです。",
    unknown: "「{character}」のお手本がありません。ひらがな、カタカナ、JIS 第一水準の漢字を一字入れてください。",
    none: "{fewest}画から{most}画までの字がありません。範囲を広げてください。",
    nothing: "まだ何も書かれていません。お手本を見ながら枠の中に書いてください。",
    good: "よく書けました。{count}画すべて合っています。",
    goodOrder: "よく書けました。{count}画すべて、書き順も向きも合っています。",
    other: "お手本の字とは形が大きく違います。お手本をよく見て、もう一度書いてみてください。",
    missing: "{strokes}が足りません。",
    extra: "書いたうちの{strokes}は余分です。",
    swapped: "{strokes}の順が入れ替わっています。",
    early: "{strokes}を書くのが早すぎます。",
    late: "{strokes}を書くのが遅すぎます。",
    reversed: "{strokes}は向きが逆です。",
    joined: "{strokes}がつながっています。",
    split: "書いたうちの{strokes}は、もとは一画です。",
    way: "お手本とは別の正しい書き方（{count}画）と見ました。",
    alike: "「{character}」に見えます。",
    longer: "{first}は{second}より長く書きます。",
    "begin-on": "{first}は{second}の線から書き始めます。",
    "end-on": "{first}は{second}の線で終わります。",
    "begin-off": "{first}は{second}から離れた所で書き始めます。",
    "end-off": "{first}は{second}から離れた所で終わります。",
    shape: "{first}の形が違います。",
    judged: "見る所",
    "judge-shape": "形",
    "judge-order": "書き順",
    "judge-direction": "向き",
    "judge-count": "画のつなぎ",
    stroke: "{number}画目",
    and: "と",
    certain: "認識：「{character}」である確率 {percent}。",
    read: "認識：「{best}」と読みました（{percent}）。「{character}」である確率は{meant}。",
    untaught: "認識：このモデルは「{character}」を習っていません。",
    privacy: "書いた字も画像も、このブラウザの外には送られません。モデルは人工の手書きデータで学習しました。実際の字では間違えることがあります。",
    credit: "お手本の出典：{credits}。",
    licences: "ライセンス",
    "no-simd": "このブラウザには WebAssembly SIMD がないため、字を読めません。新しい Chrome、Edge、Firefox、または Safari 16.4 以降で開いてください。書き方の練習はこのままできます。",
    "not-loaded": "必要なファイルを読み込めませんでした。通信を確かめ、フォルダーのファイルがすべてサーバーにあることを確かめてから、読み込み直してください。（{reason}）",
    empty: "画像に字が見つかりません。一字がはっきり写った画像を選んでください。",
    "no-image": "画像として読めないファイルです。PNG、JPEG、WebP などの画像を選んでください。",
    "too-large": "画像が大きすぎます。1億画素までの画像を選んでください。",
    "no-frame": "書いた線が枠の外にあります。枠の中に書いてください。",
    "no-candidates": "この種類の字は読めません。ほかの種類を選んでください。（{reason}）",
    "no-prior": "文章での頻度の表がありません。ページを読み込み直してください。（{reason}）",
    failed: "うまくいきませんでした。ページを読み込み直してください。（{reason}）",
  },
  en: {
    title: "Kakitori – reads handwriting, shows how to write",
    views: "Views",
    language: "Language",
    recognise: "Recognise",
    practise: "Practise",
    pad: "Drawing area. Write one character with mouse, finger or pen. Strokes so far: {count}.",
    hint: "Write one character here",
    copyHint: "Write the character here",
    undo: "Undo",
    undoKey: "Ctrl+Z",
    clear: "Clear",
    clearKey: "Esc",
    open: "Open image",
    candidates: "Candidates",
    loading: "Loading…",
    alphabet: "Characters",
    "alphabet-all": "all",
    "alphabet-hiragana": "hiragana",
    "alphabet-katakana": "katakana",
    "alphabet-joyo": "everyday kanji and kana",
    "alphabet-latin": "letters and digits",
    "alphabet-digits": "digits",
    prior: "Favour what text has most",
    tips: "Press a candidate, or a digit from 1 to 9 and 0, to copy it. You can also drop or paste a picture of one character.",
    tile: "{character}, {percent}. Press to copy",
    reads: "This reads as {character} ({percent}).",
    perhaps: "Perhaps {character} ({percent}). If not, try one character alone, larger and clearer.",
    unsure: "Not sure: it may be none of these. Try one character alone, larger and clearer.",
    copied: "Copied {character}.",
    notCopied: "Could not copy. Please select it and copy it yourself: {character}",
    character: "Character",
    strokeRange: "Strokes",
    fewest: "Fewest strokes",
    most: "Most strokes",
    random: "At random",
    show: "Show strokes",
    trace: "Trace it",
    check: "Check",
    recent: "Practised lately",
    model: "How {character} is written, {count} strokes",
    ordered: "Strokes: {count}, in the order of KanjiVG.",
    unordered: "Strokes: {count}. Order and direction are not checked: these strokes were traced from a font, and their numbers need not be the true order.",
    unknown: "There are no strokes of {character} here. Type one hiragana, katakana or kanji of JIS level 1.",
    none: "No character has {fewest} to {most} strokes. Please widen the range.",
    nothing: "Nothing is written yet. Look at the character and write it in the frame.",
    good: "Well written: {count} of {count} strokes are there.",
    goodOrder: "Well written: {count} of {count} strokes are there, in the right order and direction.",
    other: "This looks very different from the character shown. Look at it again and try once more.",
    missing: "Missing: {strokes}.",
    extra: "Too much: {strokes} of what you wrote.",
    swapped: "In each other's place: {strokes}.",
    early: "Written too early: {strokes}.",
    late: "Written too late: {strokes}.",
    reversed: "Wrong direction: {strokes}.",
    joined: "Written as one: {strokes}.",
    split: "Of what you wrote, {strokes} are one stroke.",
    way: "Taken as another right way to write it, of {count} strokes.",
    alike: "This looks like {character}.",
    longer: "Here {first} is longer than {second}.",
    "begin-on": "Here {first} begins on {second}.",
    "end-on": "Here {first} ends on {second}.",
    "begin-off": "Here {first} begins clear of {second}.",
    "end-off": "Here {first} ends clear of {second}.",
    shape: "Here {first} has another shape.",
    judged: "Looks at",
    "judge-shape": "shape",
    "judge-order": "order",
    "judge-direction": "direction",
    "judge-count": "joined strokes",
    stroke: "stroke {number}",
    and: " and ",
    certain: "The recogniser: {character}, {percent}.",
    read: "The recogniser reads {best} ({percent}); {character} has {meant}.",
    untaught: "The recogniser was never taught {character}.",
    privacy: "What you write and open never leaves this browser. The model learned from synthetic handwriting and will make mistakes with yours.",
    credit: "Reference strokes: {credits}.",
    licences: "Licences",
    "no-simd": "This browser has no WebAssembly SIMD, so nothing can be recognised. Please open the page in a current Chrome, Edge or Firefox, or Safari from 16.4 on. Practising works all the same.",
    "not-loaded": "A file that is needed did not load. Check the connection, and that all files of the folder are on the server, then reload the page. ({reason})",
    empty: "No character was found in this picture. Choose one that shows one character clearly.",
    "no-image": "This file cannot be read as a picture. Choose a PNG, JPEG or WebP picture.",
    "too-large": "This picture is too large. Choose one of up to 100 megapixels.",
    "no-frame": "Some strokes lie outside the frame. Please write inside it.",
    "no-candidates": "This model reads none of these characters. Please choose others. ({reason})",
    "no-prior": "The table of how often characters are written is missing. Please reload the page. ({reason})",
    failed: "Something went wrong. Please reload the page. ({reason})",
  },
};

export const language = {
  now: "en",
  changed: new EventTarget(),
};

/** A text in the language of the page. */
export function text(key, values = {}) {
  return TEXTS[language.now][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** A probability as people read it; nothing is certain. */
export function percent(probability) {
  if (probability >= 0.9995) return "> 99.9 %";
  if (probability < 0.001) return "< 0.1 %";
  const digits = probability >= 0.1 && probability < 0.99 ? 0 : 1;
  return `${(100 * probability).toFixed(digits)} %`;
}

/** Puts the page into a language: whatever names its text in data-text, data-label, data-title. */
export function speak(name) {
  language.now = name;
  document.documentElement.lang = name;
  document.title = text("title");
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = text(element.dataset.text);
  }
  for (const element of document.querySelectorAll("[data-title]")) {
    element.title = text(element.dataset.title);
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    const count = element.dataset.count ?? 0;
    element.setAttribute("aria-label", text(element.dataset.label, { count }));
  }
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", button.dataset.language === name);
  }
  language.changed.dispatchEvent(new Event("change"));
}
