/* Pictures: their options. The methods `draw` of metadata, lists of shards and plans make them.
 * `shardspec.hpp` describes the use of this file. */
#ifndef SHARDSPEC_DRAW_HPP
#define SHARDSPEC_DRAW_HPP

#include "values.hpp"

namespace shardspec {
inline namespace SHARDSPEC_INNER_NAMESPACE {

/// The form of a picture.
enum class picture : std::int32_t {
  text = SHARDSPEC_PICTURE_TEXT,
  svg = SHARDSPEC_PICTURE_SVG,
};

/// The background of an SVG.
enum class theme : std::int32_t {
  automatic = SHARDSPEC_THEME_AUTO,
  light = SHARDSPEC_THEME_LIGHT,
  dark = SHARDSPEC_THEME_DARK,
};

/// Options of a picture. The defaults are text of 80 columns without colours.
struct draw_options {
  picture format = picture::text;
  theme background = theme::automatic;
  /// Whether a text has colours: escape sequences of ANSI.
  bool color = false;
  /// Whether a text consists of ASCII only.
  bool ascii = false;
  /// Maximum number of columns of a text: 40 to 400.
  std::size_t width = 80;
  /// The dimensions of rows and columns, or of columns only. Without them, the last two dimensions
  /// that are cut.
  std::vector<std::size_t> axes;
  /// The part of the tensor to draw: its first index and its size in each dimension. Without them,
  /// the whole tensor. Both have the same length.
  std::vector<std::int64_t> window_offsets, window_sizes;

  draw_options() = default;
  explicit draw_options(picture format_) : format(format_) {}
  /// As the C interface takes them. The result refers to this object.
  shardspec_draw_options c() const noexcept {
    return {sizeof(shardspec_draw_options),
            static_cast<std::int32_t>(format),
            static_cast<std::int32_t>(background),
            color,
            ascii,
            width,
            axes.data(),
            axes.size(),
            window_offsets.data(),
            window_sizes.data(),
            window_offsets.size()};
  }
  /// Whether both parts of the window have the same length.
  bool is_even() const noexcept { return window_offsets.size() == window_sizes.size(); }
};

namespace detail {

/// The picture that a function draws with these options.
template <class P, class Function, class... Arguments>
answer<std::string, P> drawn(const draw_options &options, Function function, Arguments... arguments) {
  if (!options.is_even())
    return refuse<std::string, P>(
        {SHARDSPEC_INVALID_ARGUMENT, "options.window_offsets: " + std::to_string(options.window_offsets.size()) +
                                         " values for " + std::to_string(options.window_sizes.size()) +
                                         " window_sizes; pass as many"});
  const shardspec_draw_options raw = options.c();
  return text<P>(function, arguments..., &raw);
}

}  // namespace detail

}  // inline namespace SHARDSPEC_INNER_NAMESPACE
}  // namespace shardspec

#endif
