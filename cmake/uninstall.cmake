# Removes what `cmake --install BUILD --prefix PREFIX` writes, and folders in PREFIX that are empty
# then:
#
#   cmake -D BUILD=build -D PREFIX=/usr/local -P cmake/uninstall.cmake
#
# The same installation into a folder of the build tells which files they are.
get_filename_component(build "${BUILD}" ABSOLUTE)
get_filename_component(prefix "${PREFIX}" ABSOLUTE)
set(destination "$ENV{DESTDIR}")
set(again "${build}/uninstall")
file(REMOVE_RECURSE "${again}")
set(ENV{DESTDIR} "${again}")
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${build}" --prefix "${prefix}"
  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)

file(GLOB_RECURSE paths LIST_DIRECTORIES true RELATIVE "${again}${prefix}" "${again}${prefix}/*")
list(SORT paths ORDER DESCENDING)
foreach(path ${paths})
  set(installed "${destination}${prefix}/${path}")
  if(IS_DIRECTORY "${again}${prefix}/${path}")
    execute_process(COMMAND rmdir "${installed}" ERROR_QUIET)
  elseif(EXISTS "${installed}" OR IS_SYMLINK "${installed}")
    message("-- Removing: ${installed}")
    file(REMOVE "${installed}")
  endif()
endforeach()
file(REMOVE_RECURSE "${again}")
