import Foundation

extension Policy {
    /// Every switch that is set, and the approval also where it is left out, by its name with its group's before a dot,
    /// in the order of names. Numbers are written so that reading them gives the same bits.
    public func switches() throws -> [(name: String, value: String)] {
        let tree = try JSONDecoder().decode(SwitchTree.self, from: JSONEncoder().encode(self))
        let unstated = approval == .nobody ? [(name: "approval", value: approval.rawValue)] : []
        return (tree.flattened(under: "") + unstated).sorted { $0.name < $1.name }
    }

    /// The policy as the YAML it can be read from again.
    public func yaml() throws -> String {
        var group: Substring = ""
        return try switches().reduce(into: "") { text, item in
            let parts = item.name.split(separator: ".")
            if parts.count > 1, parts[0] != group {
                group = parts[0]
                text += "\(group):\n"
            }
            text += parts.count > 1 ? "  \(parts[1]): \(item.value)\n" : "\(item.name): \(item.value)\n"
        }
    }

    /// The switches in which it differs from an earlier policy, in the order of names.
    public func changes(from earlier: Policy) throws -> [PolicyChange] {
        let before = Dictionary(uniqueKeysWithValues: try earlier.switches().map { ($0.name, $0.value) })
        let after = Dictionary(uniqueKeysWithValues: try switches().map { ($0.name, $0.value) })
        return Set(before.keys).union(after.keys).sorted().compactMap { name in
            before[name] == after[name] ? nil : PolicyChange(name: name, before: before[name], after: after[name])
        }
    }
}

/// A policy's JSON: values, and groups of them.
private enum SwitchTree: Decodable {
    case value(String)
    case group([String: SwitchTree])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            self = .value(text)
        } else if let whole = try? container.decode(Int.self) {
            self = .value("\(whole)")
        } else if let number = try? container.decode(Double.self) {
            self = .value("\(number)")
        } else {
            self = .group(try container.decode([String: SwitchTree].self))
        }
    }

    func flattened(under prefix: String) -> [(name: String, value: String)] {
        switch self {
        case .value(let text): [(prefix, text)]
        case .group(let members):
            members.flatMap { $0.value.flattened(under: prefix.isEmpty ? $0.key : "\(prefix).\($0.key)") }
        }
    }
}
