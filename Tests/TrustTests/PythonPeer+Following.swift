import Foundation
import RegistryTesting

extension PythonPeer {
    /// What python-tuf's client made of a state.
    struct Outcome: Decodable {
        struct Position: Decodable, Equatable {
            var ensemble: String
            var generation: Int
            var sequence: Int
        }

        var error: String?
        var message: String?
        var root: Int?
        var timestamp: Int?
        var files: [String]?
        var position: Position?
    }

    /// Has python-tuf's client follow states one after the other, starting from a root.
    static func follow(_ states: [URL], root: URL, client: URL) async throws -> [Outcome] {
        let output = try await run(tuf, ["follow", client.path, root.path] + states.map(\.path))
        return try JSONDecoder().decode([Outcome].self, from: output)
    }
}
