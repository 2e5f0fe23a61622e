/// A table for people: columns aligned by the terminal's columns, numbers to the right.
struct TextTable {
    struct Column {
        enum Alignment { case left, right }
        var title: String
        var alignment: Alignment

        static func text(_ title: String) -> Column { Column(title: title, alignment: .left) }
        static func number(_ title: String) -> Column { Column(title: title, alignment: .right) }
    }

    var columns: [Column]
    var rows: [[String]]

    /// The lines, each ended by a line feed, without trailing spaces.
    var text: String {
        let lines = [columns.map(\.title)] + rows.map { row in row.map { $0.withoutControls() } }
        let widths = columns.indices.map { column in lines.map { $0[column].displayWidth }.max() ?? 0 }
        return lines.map { line in
            var text = ""
            for (index, column) in columns.enumerated() {
                let padding = String(repeating: " ", count: widths[index] - line[index].displayWidth)
                text +=
                    (index == 0 ? "" : "  ")
                    + (column.alignment == .left ? line[index] + padding : padding + line[index])
            }
            while text.last == " " { text.removeLast() }
            return text + "\n"
        }.joined()
    }

    /// Names and values, one a line.
    static func details(_ pairs: [(name: String, value: String?)]) -> String {
        let pairs = pairs.compactMap { name, value in value.map { (name, $0.withoutControls()) } }
        let width = pairs.map { $0.0.displayWidth }.max() ?? 0
        return pairs.map { name, value in
            name + String(repeating: " ", count: width - name.displayWidth) + "  " + (value.isEmpty ? "-" : value)
                + "\n"
        }.joined()
    }
}

extension String {
    /// How many columns of a terminal the text takes: East Asian wide characters and emoji take two, marks none.
    var displayWidth: Int { reduce(0) { $0 + $1.displayWidth } }

    /// The text with control characters replaced: what others wrote must not steer a terminal.
    func withoutControls(keeping kept: Set<Unicode.Scalar> = []) -> String {
        guard unicodeScalars.contains(where: { $0.isControl && !kept.contains($0) }) else { return self }
        return String(
            String.UnicodeScalarView(unicodeScalars.map { $0.isControl && !kept.contains($0) ? "\u{FFFD}" : $0 }))
    }
}

extension Unicode.Scalar {
    /// Controls, and the marks that reverse the direction of text.
    fileprivate var isControl: Bool {
        properties.generalCategory == .control || (0x202A...0x202E).contains(value) || (0x2066...0x2069).contains(value)
    }
}

extension Character {
    /// Columns of one character by its first scalar, after Unicode's East Asian Width (UAX #11).
    fileprivate var displayWidth: Int {
        guard let scalar = unicodeScalars.first else { return 0 }
        if isASCII { return 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        if scalar.properties.isEmojiPresentation || unicodeScalars.contains("\u{FE0F}") { return 2 }
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF,
            0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }
}
