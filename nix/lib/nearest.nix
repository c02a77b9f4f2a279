# What somebody may have meant: the nearest of some names by edit distance (Levenshtein).
let
  min = a: b: if a < b then a else b;

  chars = text: builtins.genList (i: builtins.substring i 1 text) (builtins.stringLength text);

  # One row of the table after another; a row is the distances of a prefix of `a` to all prefixes of `b`.
  nextRow =
    row: char: b:
    let
      step =
        cells: column:
        let
          change = if builtins.elemAt b column == char then 0 else 1;
          replaced = builtins.elemAt row column + change;
          removed = builtins.elemAt row (column + 1) + 1;
          added = builtins.elemAt cells column + 1;
        in
        cells ++ [ (min replaced (min removed added)) ];
    in
    builtins.foldl' step [ (builtins.head row + 1) ] (builtins.genList (i: i) (builtins.length b));

  distance =
    a: b:
    let
      other = chars b;
      first = builtins.genList (i: i) (builtins.length other + 1);
      last = builtins.foldl' (row: char: nextRow row char other) first (chars a);
    in
    builtins.elemAt last (builtins.length other);
in
{
  /**
    The end of a sentence: `, did you mean 'x'?` for the nearest of `names`, or a full stop where none is near.

    # Type

    ```
    suggestion :: string -> [string] -> string
    ```
  */
  suggestion =
    wrong: names:
    let
      rated = map (name: {
        inherit name;
        distance = distance wrong name;
      }) names;
      best = builtins.foldl' (a: b: if a == null || b.distance < a.distance then b else a) null rated;
      # A third of the letters may be wrong: beyond that the guess is noise.
      limit = (builtins.stringLength wrong + 2) / 3;
    in
    if best != null && best.distance <= limit then ", did you mean '${best.name}'?" else ".";
}
