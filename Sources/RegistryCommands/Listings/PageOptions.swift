import ArgumentParser
import RegistryAPI

/// How much of a listing is wanted.
struct PageOptions: ParsableArguments, Sendable {
    @Option(help: "Most lines.")
    var limit = 100

    @Option(help: ArgumentHelp("Go on after a listing's `next`.", valueName: "cursor"))
    var after: String?

    /// Asked for at once; the registry may give fewer.
    private static let pageSize = 100

    mutating func validate() throws {
        guard (1...1_000_000).contains(limit) else { throw ValidationError("--limit must be between 1 and 1000000.") }
    }

    /// Takes pages until there are enough items or no more.
    func collect<Item>(_ fetch: (_ after: String?, _ limit: Int) async throws -> Page<Item>) async throws -> Page<Item>
    {
        var all = Page<Item>(items: [], next: after)
        repeat {
            let page = try await fetch(all.next, min(Self.pageSize, limit - all.items.count))
            all.items += page.items
            all.next = page.next
        } while all.next != nil && all.items.count < limit
        return all
    }
}
