import Forest
import Testing

struct ForestTextTests {
    @Test func placeholder() {}
}
