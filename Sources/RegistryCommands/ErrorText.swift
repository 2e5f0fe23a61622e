import Foundation
import RegistryAPI
import RegistryClient

/// Errors as people read them.
enum ErrorText {
    static func of(_ error: any Error) -> String {
        guard let error = error as? RegistryClientError else { return "\(error)".withoutControls(keeping: ["\n"]) }
        if let problem = error.problem { return text(problem) }
        switch error.code {
        case .invalidBody: return (error.cause as? CommandError)?.message ?? error.message
        case .unreachable:
            return error.message + "\nStart it with `registryd serve`, or name another with --registry or REGISTRY_URL."
        default: return error.message
        }
    }

    /// A problem with its faults: kind, count, what to do, and the first offending rows.
    static func text(_ problem: Problem) -> String {
        var lines = ["\(problem.title)."]
        let faults = problem.faults ?? []
        // The detail of a refused upload lists what its faults say.
        if faults.isEmpty || !faults.allSatisfy({ problem.detail.contains($0.message) }) {
            lines.append(problem.detail)
        }
        lines += self.lines(faults)
        switch problem.code {
        case .unauthenticated: lines.append("Give a token with --token-file, REGISTRY_TOKEN or REGISTRY_TOKEN_FILE.")
        case .forbidden: lines.append("Ask an administrator for a token with that scope (`registry tokens create`).")
        default: break
        }
        if problem.status >= 500, let id = problem.requestID {
            lines.append("The daemon's log has more under request \(id).")
        }
        return lines.filter { $0 != "" || problem.faults != nil }.joined(separator: "\n").withoutControls(keeping: [
            "\n"
        ])
    }

    /// Each kind of fault after an empty line.
    static func lines(_ faults: [Problem.Fault]) -> [String] {
        faults.flatMap { fault in
            // Faults of the whole have no examples, those of the header are on line 1.
            let isOfRows = fault.examples.isEmpty ? fault.count > 1 : fault.examples.contains { $0.line != 1 }
            guard isOfRows else { return ["", "  \(fault.code): \(fault.message)"] }
            var lines = ["", "  \(fault.code), \(fault.count) \(fault.count == 1 ? "row" : "rows"): \(fault.message)"]
            lines += fault.examples.map { "    " + text($0) }
            if fault.count > fault.examples.count, !fault.examples.isEmpty {
                lines.append("    … and \(fault.count - fault.examples.count) more")
            }
            return lines
        }
    }

    private static func text(_ example: Problem.Example) -> String {
        let id = example.id.map { $0.isEmpty ? "(empty id)" : $0 }
        return switch (example.line, id) {
        case (let line?, let id?): "line \(line): \(id)"
        case (let line?, nil): "line \(line)"
        case (nil, let id?): id
        case (nil, nil): "(unknown row)"
        }
    }
}
